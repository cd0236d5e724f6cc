"""Lets `python -m warnd` be the command line."""

from warnd.cli import main

main()
