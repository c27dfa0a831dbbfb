"""The store's SQLite file: its tables, records as rows, what is written, searched, found, forgotten, and brought from older versions."""

SCHEMA_VERSION = 3
"""The version of the tables, here, where asking for it imports nothing."""
