"""Open spans that several processes share: what is written to an engine, when, and what becomes of it (docs/open-spans.md)."""
