"""The notifiers; `staffa.notifier` is their contract."""
