"""`python database.py` runs a PostgreSQL for this folder until Ctrl-C, and prints its address."""

import signal
from pathlib import Path

from staffa.embedded import EmbeddedPostgres

if __name__ == "__main__":
    with EmbeddedPostgres(Path(__file__).parent) as dsn:
        print(dsn, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("stopped")
