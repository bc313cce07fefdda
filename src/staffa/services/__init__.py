"""What goes on beside the jobs: one service a module, one `tick` each."""
