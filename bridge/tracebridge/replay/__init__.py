"""Spans back out of files: lines, what shippers wrapped them in, the records they hold, and their delivery."""
