"""The command line: one file per command."""

from tracebridge.cli.main import main

__all__ = ["main"]
