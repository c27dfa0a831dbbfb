"""Damage to bytes on a disk, and which spans it may have destroyed.

Spans are found by the text that the workload gave each of them, not by tracebridge's own reading of the file: damage can have hit only the
span whose text is the last before it, the ones within it, and the first behind it.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

from benchmarks.faults.spans import attributes_of

LARGEST = 4000  # bytes of one damage
WAYS = ("flip", "flip", "flip", "zero", "zero", "overwrite", "overwrite", "cut")
_BEFORE, _AFTER = attributes_of(0)["text"].encode().split(b"0")
_SPAN = re.compile(re.escape(_BEFORE) + rb"(\d+)" + re.escape(_AFTER))


def damage(path: Path, chance: random.Random, *, front: bool) -> set[int]:
    """Damage a file in one place; return the numbers of the spans that may be gone for it.

    `front` flips one bit before the first span: everything there that matters is written twice.
    """
    content = path.read_bytes()
    spans = [(found.start(), int(found[1])) for found in _SPAN.finditer(content)]
    used = len(content.rstrip(b"\0"))
    first = spans[0][0] if spans else used
    if not front and first == used:
        return set()
    at = chance.randrange(first) if front else chance.randrange(first, used)
    how = "flip" if front else chance.choice(WAYS)
    length = min(chance.randint(1, LARGEST), len(content) - at)
    with path.open("r+b") as file:
        if how == "flip":
            length = 1
            os.pwrite(file.fileno(), bytes([content[at] ^ 1 << chance.randrange(8)]), at)
        elif how == "cut":
            length = len(content) - at
            os.ftruncate(file.fileno(), at)
        else:
            os.pwrite(file.fileno(), bytes(length) if how == "zero" else chance.randbytes(length), at)
    return _near(spans, at, at + length)


def _near(spans: list[tuple[int, int]], start: int, end: int) -> set[int]:
    before = [number for at, number in spans if at < start][-1:]
    within = [number for at, number in spans if start <= at < end]
    after = [number for at, number in spans if at >= end][:1]
    return {*before, *within, *after}
