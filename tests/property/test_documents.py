"""Laws of reading files: however documents are printed, mixed with lines and cut into blocks, each span is read once and each line counted once."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from tracebridge.replay import documents, pieces, printed
from tracebridge.replay.line import Line, Position
from tracebridge.replay.lines import Lines

fewer = settings(max_examples=60)
texts = st.text(alphabet='ab"\\[]{},:\n \u00e9', max_size=8)
keys = st.sampled_from(["id", "data", "}", ",", "a"])
values = st.recursive(
    st.none() | st.integers(0, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
elements = st.lists(st.dictionaries(keys, values, max_size=3), max_size=8)
LISTS = ("data", "resourceSpans", "traces")
given_documents = elements.filter(bool) | st.builds(
    lambda name, found, more: {name: found, **more},
    st.sampled_from(LISTS),
    elements,
    st.dictionaries(st.sampled_from(["total", "x"]), values, max_size=2),
)
logged = st.sampled_from(
    ["hello", "", '{"level":"info"}', "[2026-01-01] INFO x", "  at Foo.bar(Foo.java:7)", "}", '{"a": ["cut']
)


def dumped(value: Any, how: str) -> str:
    """A document as programs print it: Python, JSON.stringify and jq, Jackson, one element a line."""
    if how in ("compact", "python"):
        return json.dumps(value, separators=(",", ":") if how == "compact" else None)
    if how == "element a line" and isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(each) for each in value) + "\n]"
    if how == "jackson" and isinstance(value, list):
        return "[ " + ", ".join(json.dumps(each, indent=2) for each in value) + " ]"
    return json.dumps(value, indent="\t" if how == "tabs" else 2)


parts = st.tuples(
    given_documents, st.sampled_from(["compact", "python", "element a line", "jackson", "tabs", "spaces"])
)


def read(data: bytes, block: int, *, by_pieces: bool = False) -> list[Line]:
    """The lines of a file that is read in blocks of this size, with documents large at a thousandth of their size."""
    sizes = (
        mock.patch.object(documents, "LARGE", 200),
        mock.patch.object(documents, "BATCH", 60),
        mock.patch.object(pieces, "PIECE", 100),
        mock.patch.object(printed, "MOST_HELD", 600),
    )
    with sizes[0], sizes[1], sizes[2], sizes[3]:
        taking = Lines(Position())
        if by_pieces:
            with mock.patch.object(printed.PrintedDocument, "_find_end", side_effect=printed.OtherFormError):
                return [
                    *(line for at in range(0, len(data), block) for line in taking.take(data[at : at + block])),
                    *taking.finish(),
                ]
        return [
            *(line for at in range(0, len(data), block) for line in taking.take(data[at : at + block])),
            *taking.finish(),
        ]


def held(found: list[Line]) -> list[Any]:
    """The elements of the documents in these lines, in order; lines that are none as text."""
    out: list[Any] = []
    for line in found:
        try:
            value = json.loads(line.text)
        except ValueError:
            out.append(line.text)
            continue
        name = next((name for name in LISTS if isinstance(value, dict) and isinstance(value.get(name), list)), None)
        out += value[name] if name is not None else value if isinstance(value, list) else [value]
    return out


@fewer
@given(made=st.lists(parts, max_size=4), block=st.integers(5, 400))
def test_documents_behind_each_other_are_read_whole_however_they_are_printed_and_cut(made, block):
    """Each element once and in order, none of them damaged, and the last position is the end of the file."""
    data = "\n".join(dumped(*each) for each in made).encode() + b"\n"
    found = read(data, block)
    expected = [element for value, _ in made for element in held([Line(json.dumps(value).encode(), 1, 0)])]
    assert held([line for line in found if line.text]) == expected
    assert [line.fault for line in found if line.fault] == []
    assert not made or found[-1].end == len(data)


@fewer
@given(made=st.lists(parts.map(lambda each: dumped(*each)) | logged, max_size=6), block=st.integers(5, 400))
def test_two_ways_to_read_tell_the_same(made, block):
    """What is cut as programs print it, and what is put together by its brackets, hold the same values and the same damage."""
    data = "\n".join(made).encode() + b"\n"
    fast, exact = read(data, block), read(data, block, by_pieces=True)
    assert held(fast) == held(exact)
    assert [line.fault for line in fast if line.fault] == [line.fault for line in exact if line.fault]


@given(
    data=st.lists(
        st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b" ", b'"a"', b"1", b'{"a":1}']),
        max_size=60,
    ).map(b"".join),
    block=st.integers(1, 30),
)
def test_no_bytes_stop_the_reading_and_every_line_has_a_place(data, block):
    """Positions go up, and no line stands behind the end of the file."""
    found = read(data, block)
    assert [line.end for line in found] == sorted(line.end for line in found)
    assert all(line.end <= len(data) and 1 <= line.number <= data.count(b"\n") + 1 for line in found)
