"""Lines into loggers of the application's, structlog's and the standard library's: one call a line."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from tracebridge.errors import Misconfigured

Emit = Callable[[bytes], None]
"""Takes one JSON object with its newline."""

_LEVEL_KEYS = ("level", "log.level", "severity")
_SET_BY_LOGGERS = ("timestamp", *_LEVEL_KEYS)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class LineFields(dict[str, Any]):
    """A line for the standard library: its text for plain formatters, its fields for those that merge a mapping into their JSON."""

    def __str__(self) -> str:
        """Return the line, without its newline."""
        return _encode(self).decode()


def logging_emitter(name: str) -> Emit:
    """Return an emitter through a logger of the standard library, at the line's own level."""
    logger = logging.getLogger(name)

    def emit(line: bytes) -> None:
        fields = _decode(line)
        logger.log(_level_of(fields), LineFields(fields))

    return emit


def structlog_emitter(name: str | None, *, as_text: bool) -> Emit:
    """Return an emitter through the application's structlog logger: fields as keywords, or the line as the event (`as_text`).

    `name` is handed to `structlog.get_logger`, or names a logger of the application's own as `module:logger`. Time and level are
    the logger's to set. Raises Misconfigured when that logger does not exist.
    """
    logger = _structlog_logger(name)

    def emit(line: bytes) -> None:
        fields = _decode(line)
        method = _METHODS[_level_of(fields)]
        if as_text:
            getattr(logger, method)(line[:-1].decode())
            return
        for key in _SET_BY_LOGGERS:
            fields.pop(key, None)
        getattr(logger, method)(fields.pop("event"), **fields)

    return emit


def _structlog_logger(name: str | None) -> Any:
    import structlog

    if name is None:
        return structlog.get_logger()
    module, colon, attribute = name.partition(":")
    if not colon:
        return structlog.get_logger(name)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Misconfigured(
            f"logger {name!r}: {error}; name a module that can be imported and a logger in it"
        ) from error


_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_METHODS = {level: name for name, level in _LEVELS.items()}


def _level_of(fields: dict[str, Any]) -> int:
    for key in _LEVEL_KEYS:
        if key in fields:
            return _LEVELS[fields[key].lower()]
    return logging.INFO
