"""Our loggers: what they are given is cleaned before any handler sees it, because handlers are the application's."""

from __future__ import annotations

import logging
import traceback

from tracebridge.masking.foreign import clean_lines


class _Cleaning(logging.Filter):
    """Cleans a record of ours, its traceback too, before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, cleaned."""
        record.msg, record.args = clean_lines(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = clean_lines("".join(traceback.format_exception(*record.exc_info)).rstrip())
        record.exc_info = None
        return True


_cleaning = _Cleaning()


def logger(name: str) -> logging.Logger:
    """Return a logger of ours: what it is given is cleaned first."""
    ours = logging.getLogger(name)
    ours.addFilter(_cleaning)  # the same filter is added once only
    return ours
