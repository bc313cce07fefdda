"""Running jobs: producers claim, the executor runs, the acker writes back, the watchman watches."""
