"""Where jobs run that do not run on the event loop."""
