"""Gzip, by whichever library is there."""

from __future__ import annotations

import gzip

import pytest

from tracebridge_adapters.wires import compression

BODY = b'{"name": "operation"}' * 1_000


@pytest.mark.parametrize("by", ["isal", "the standard library"])
def test_a_body_is_packed_the_same_each_time_and_unpacked_by_the_standard_library(by, monkeypatch):
    """Whoever has not installed isal loses nothing but time."""
    if by == "isal":
        assert compression.igzip is not None  # the tests bring it
    else:
        monkeypatch.setattr(compression, "igzip", None)
    packed = compression.gzipped(BODY)
    assert (gzip.decompress(packed), packed) == (BODY, compression.gzipped(BODY))
    assert len(packed) < len(BODY) / 20
