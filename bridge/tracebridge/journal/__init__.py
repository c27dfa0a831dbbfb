"""The queue between finished spans and delivery: an append-only log with one cursor per adapter."""
