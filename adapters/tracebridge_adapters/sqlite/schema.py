"""The store's tables. docs/store.md describes them for whoever asks in SQL.

Rows are numbered as they come, and everything that belongs to a trace has its number: what is written lands at the ends of
the tables and of nearly all indexes, which stay without holes, and a store of a million spans takes a span as quickly as one of ten thousand.
"""

from __future__ import annotations

import sqlite3

from tracebridge_adapters.sqlite.rows import COLUMNS

TABLES = (
    """CREATE TABLE store (key TEXT NOT NULL PRIMARY KEY, value BLOB) WITHOUT ROWID""",
    """CREATE TABLE traces (
        id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL UNIQUE, custom_trace_id TEXT, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        name TEXT NOT NULL, service TEXT NOT NULL, status TEXT NOT NULL, experiment_id TEXT, roots INTEGER NOT NULL
    )""",
    "CREATE INDEX traces_start ON traces (start_ns)",
    "CREATE INDEX traces_custom ON traces (custom_trace_id) WHERE custom_trace_id IS NOT NULL",
    """CREATE TABLE origins (
        id INTEGER PRIMARY KEY, service TEXT NOT NULL, resource TEXT, scope TEXT, exact BLOB NOT NULL UNIQUE
    )""",
    """CREATE TABLE spans (
        id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, span_id BLOB NOT NULL, parent_id BLOB, is_root INTEGER NOT NULL, name TEXT NOT NULL,
        kind INTEGER NOT NULL, span_type TEXT, status TEXT NOT NULL, status_message TEXT, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        has_custom_id INTEGER NOT NULL, origin INTEGER NOT NULL, attributes TEXT, inputs TEXT, outputs TEXT, more BLOB
    )""",
    "CREATE UNIQUE INDEX spans_key ON spans (trace, span_id)",
    """CREATE TABLE tags (
        trace INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (trace, key, value)
    ) WITHOUT ROWID""",
    "CREATE INDEX tags_value ON tags (key, value)",
)

OTHER_ID = ""
"""The key in `tags` under which a trace's further own IDs stand, where its spans carry different ones."""

_INTO = f"INTO spans ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
ADD_SPAN = f"INSERT OR IGNORE {_INTO}"
PUT_SPAN = f"INSERT OR REPLACE {_INTO}"
SPAN_COLUMNS = ", ".join(f"s.{column}" for column in COLUMNS)


def make_tables(connection: sqlite3.Connection, schema: str = "main") -> None:
    """Make every table. Within a transaction."""
    for statement in TABLES:
        connection.execute(statement.replace("TABLE ", f"TABLE {schema}.").replace("INDEX ", f"INDEX {schema}."))
