"""YAML to a tree: positions, types, and bounds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tracebridge.settings.document import read_document
from tracebridge.settings.mapping import from_mapping
from tracebridge.settings.tree import Node


def plain(node: Node) -> Any:
    """Return the tree as Python values."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"), ("on", "on"), ("0777", 777), ("0o17", 15), ("1:30", "1:30"), ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"), ("~", None), ("TRUE", True), ("'true'", "true"), ("1e3", 1000.0), (".inf", float("inf")),
        ("!!str 1", "1"), ("!!int '1'", 1), ("!!float 1", 1.0), ("! 1", "1"), ("|\n  a\n  b\n", "a\nb\n"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, expected: Any) -> None:
    """YAML 1.2: `yes` is text, `0777` is decimal; quotes and tags decide."""
    document = read_document(f"k: {text}".encode(), {})
    assert document.problems == []
    value = document.root.value["k"].value
    assert (expected, type(expected)) == (value, type(value))


def test_every_value_knows_its_place() -> None:
    """Lines and columns count from 1, in characters."""
    root = read_document("é: {b: [ü, x]}\n".encode(), {}).root
    place = root.value["é"].value["b"].value[1].place
    assert (place.line, place.column, place.end_line, place.end_column) == (1, 12, 1, 13)
    assert root.value["é"].key_places["b"].column == 5


def test_aliases_repeat_values() -> None:
    """An anchor's value may be used again; merge keys may not."""
    document = read_document(b"a: &x {k: 1}\nb: *x\nc: {<<: *x}\n", {})
    assert plain(document.root) == {"a": {"k": 1}, "b": {"k": 1}, "c": {}}
    assert [problem.kind for problem in document.problems] == ["bad-key"]


@pytest.mark.parametrize("key", ["[1]: x", "{a: b}: x", "? [a]\n: x"])
def test_keys_are_text(key: str) -> None:
    """A collection cannot be a key, and what follows is still read."""
    document = read_document(f"{key}\nb: 2\n".encode(), {})
    assert plain(document.root) == {"b": 2}
    assert [problem.kind for problem in document.problems] == ["bad-key"]


def laughs(levels: int) -> bytes:
    """Return a file whose values, written out, are 10 to the power of `levels`."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "data",
    [
        laughs(9), b"[" * 200_000, b"- " * 100_000, b"{a: " * 50_000, b"? " * 100_000, b"a: b\n" * 50_000,
        b"&a [*a]", b"x" * 10_000_000, b"!" * 100_000, b"a: !!python/object/apply:os.system ['false']", b"\xff\xfe\x00",
        b"%YAML 3.0\n---\na: 1", b"'" + b"a" * 200_000, b"\xef\xbb\xbf\x00", b": " * 50_000, b"[[]" * 20_000,
        b"k: " + b"9" * 100_000 + b"\n[", b"a: *a", b"\n" * 250_000 + b"[", b"#" * 250_000 + b"\n[",
    ],
    ids=range(20),
)  # fmt: skip
def test_hostile_files_are_refused_quickly(data: bytes) -> None:
    """Nothing is executed, built or recursed into; the answer takes less than a second of work."""
    start = time.process_time()
    document = read_document(data, {})
    assert time.process_time() - start < 1
    assert document.problems


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    """UTF-8 with and without its mark, and UTF-16 with one, as YAML has them."""
    assert plain(read_document("k: ünï".encode(encoding), {}).root) == {"k": "ünï"}


def test_a_mapping_becomes_the_same_tree() -> None:
    """Tuples are lists; nothing else changes."""
    given = {"a": {"b": (1, 2.5, "x", None, True)}}
    problems: list[Any] = []
    assert plain(from_mapping(given, problems)) == {"a": {"b": [1, 2.5, "x", None, True]}}
    assert problems == []
