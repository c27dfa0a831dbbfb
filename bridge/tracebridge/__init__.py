"""Tracebridge: your traces, with your IDs, into the tracing systems you already run."""
