"""Files that we write for ourselves: nobody else's business, whole or not there, and not more of them than was said."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write a file of 0600, in place of what is there. Raises OSError and leaves what was there then."""
    unborn = path.with_name(path.name + ".new")
    try:
        with open(unborn, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(data)
        unborn.replace(path)
    except OSError:
        unborn.unlink(missing_ok=True)
        raise


def prune(folder: Path, *, most_files: int, most_bytes: int) -> int:
    """Delete the oldest files of a folder, by name, until it holds no more than that; return how many went.

    What cannot be deleted stays. Raises OSError when the folder cannot be listed.
    """
    files = []
    for path in sorted(folder.iterdir()):
        try:
            files.append((path, path.stat().st_size))
        except OSError:  # somebody else was faster
            continue
    total, gone = sum(size for _, size in files), 0
    for path, size in files:
        if len(files) - gone <= most_files and total <= most_bytes:
            break
        try:
            path.unlink()
        except OSError:
            continue
        gone += 1
        total -= size
    return gone
