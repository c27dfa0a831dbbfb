"""Messages that hold no spans, kept in a file: one JSON object a line, with the place that each had and why it is there."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path

import msgspec

from tracebridge.errors import Retryable
from tracebridge.plugins.receiver import Message
from tracebridge.process.private_files import open_regular


class DeadLetterFile:
    """Appends to a file of 0600, which is made with the first message; each is on the disk when `keep` returns."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser().absolute()

    def keep(self, message: Message, reason: str) -> None:
        """Append a message. Raises Retryable when the file cannot be written."""
        line = {
            "topic": message.partition.topic,
            "partition": message.partition.number,
            "offset": message.offset,
            "time_unix_s": time.time(),
            "reason": reason,
            "key": None if message.key is None else base64.b64encode(message.key).decode(),
            "value": None if message.value is None else base64.b64encode(message.value).decode(),
        }
        try:
            fd = open_regular(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            with os.fdopen(fd, "ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
                file.flush()
                os.fsync(fd)
        except OSError as error:
            raise Retryable(f"{self._path}: {error.strerror or error}") from error
