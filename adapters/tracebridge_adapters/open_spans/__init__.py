"""Engines of open spans for several hosts: a database each (`tracebridge.plugins.open_spans`)."""
