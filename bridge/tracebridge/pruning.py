"""Folders that must not grow for ever: the oldest files go first."""

from __future__ import annotations

from pathlib import Path


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
