"""Files that commands write what they are asked for into."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

import click

from tracebridge.process.system import open_file


def new_file(path: str, *, force: bool = False) -> BinaryIO:
    """Open a new file (0600), or standard output for `-`. `force`: one that is there is replaced.

    Raises ClickException when it is there already, FileError when it cannot be made.
    """
    if path == "-":
        return os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        return os.fdopen(open_file(path, flags), "wb")
    except FileExistsError:
        raise click.ClickException(f"{path} is there already; --force replaces it") from None
    except OSError as error:
        raise click.FileError(path, error.strerror or str(error)) from error
