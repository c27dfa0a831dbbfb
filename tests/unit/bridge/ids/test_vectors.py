"""The published test vectors: what they say is what we do, what other libraries do, and what another language does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import ulid

from tracebridge import InvalidParameterError, SpanId, TraceId
from tracebridge.ids.schemes import find_scheme
from tracebridge.plugins.registry import known_schemes

VECTORS: dict[str, Any] = json.loads((files("tracebridge_config") / "id_vectors.json").read_text("utf-8"))
PROGRAM = Path(__file__).parents[4] / "examples" / "other_languages" / "ids.mjs"


def named(vector: dict[str, Any]) -> str:
    """The scheme and the text."""
    return f"{vector['scheme']} {vector['text']}"


@pytest.mark.parametrize("vector", VECTORS["trace_ids"], ids=named)
def test_a_trace_id_is_derived_and_written_back_as_published(vector):
    """The bytes, the form that `auto` recognised, and the canonical text."""
    made = TraceId(vector["text"], vector["scheme"])
    back = find_scheme(made.matched).back
    assert (made.wire_trace_id, made.matched, back(made.wire) if back else None) == (
        vector["trace_id"], vector.get("matched", vector["scheme"]), vector["back"],
    )  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS["span_ids"], ids=named)
def test_a_span_id_is_derived_and_written_back_as_published(vector):
    """The same for the eight bytes of a span."""
    made = SpanId(vector["text"], vector["scheme"])
    back = find_scheme(made.matched).back_span
    assert (made.wire_span_id, made.matched, back(made.wire) if back else None) == (
        vector["span_id"], vector.get("matched", vector["scheme"]), vector["back"],
    )  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=named)
def test_what_is_published_as_refused_is_an_error_that_names_the_text(vector):
    """No ID is made, and the message repeats what was given and the scheme."""
    kind = TraceId if vector["what"] == "trace_id" else SpanId
    with pytest.raises(InvalidParameterError) as raised:
        kind(vector["text"], vector["scheme"])
    assert repr(vector["text"]) in str(raised.value)


def test_every_scheme_has_vectors():
    """A new scheme comes with some."""
    assert {vector["scheme"] for vector in VECTORS["trace_ids"]} == set(known_schemes()), (
        "give each scheme texts and their bytes in the vectors, which other languages are tested with too"
    )


def test_other_libraries_read_uuids_and_ulids_the_same():
    """Python's uuid and python-ulid come to the same bytes."""
    read = {"uuid": lambda text: uuid.UUID(text).bytes, "ulid": lambda text: ulid.ULID.from_str(text.upper()).bytes}
    ours = [(v["text"], v["trace_id"]) for v in VECTORS["trace_ids"] if v["scheme"] in read]
    assert ours == [
        (v["text"], read[v["scheme"]](v["text"]).hex()) for v in VECTORS["trace_ids"] if v["scheme"] in read
    ]
    assert len(ours) >= 9


def test_another_language_derives_the_same():
    """A program in JavaScript, written from the documentation alone, agrees on every vector, refusals included."""
    node = shutil.which("node")
    if node is None:
        message = "no node on this machine to run the JavaScript program with"
        pytest.fail(message) if os.environ.get("TRACEBRIDGE_REQUIRE_SERVERS") else pytest.skip(message)
    lines = [
        *((v["scheme"], v["text"], 16, v["trace_id"]) for v in VECTORS["trace_ids"]),
        *((v["scheme"], v["text"], 8, v["span_id"]) for v in VECTORS["span_ids"]),
        *((v["scheme"], v["text"], 16 if v["what"] == "trace_id" else 8, None) for v in VECTORS["refused"]),
    ]
    given = json.dumps([line[:3] for line in lines])
    done = subprocess.run([node, PROGRAM], input=given, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [line[3] for line in lines]
