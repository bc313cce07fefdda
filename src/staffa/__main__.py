"""``python -m staffa`` is the same as ``staffa``."""

from staffa.cli import main

main()
