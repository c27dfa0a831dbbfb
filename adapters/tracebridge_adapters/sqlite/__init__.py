"""The store's SQLite file: its tables, records as rows, what is written, searched, found, forgotten, and brought from older versions."""
