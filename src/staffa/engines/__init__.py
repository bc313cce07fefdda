"""The engines; `staffa.engine` is their contract."""
