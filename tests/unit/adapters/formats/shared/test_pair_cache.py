"""Remembered pairs: right whatever passes through, and bounded."""

from __future__ import annotations

from tracebridge_adapters.formats.shared.pair_cache import MAX_KEY, MAX_KEYS, MAX_TEXT, MAX_VALUES, PairCache


def cache() -> tuple[PairCache, list[tuple[str, object]]]:
    """A cache whose encoder notes what it was asked for."""
    asked: list[tuple[str, object]] = []

    def writer_of(key):
        def write(value):
            asked.append((key, value))
            return f"{key}={value!r}".encode()

        return write

    return PairCache(writer_of), asked


def test_a_pair_is_encoded_once():
    """The second time costs no encoding."""
    pairs, asked = cache()
    attributes = {"a": "x", "b": 1, "c": True}
    assert pairs.encoded(attributes) == pairs.encoded(attributes) == [b"a='x'", b"b=1", b"c=True"]
    assert len(asked) == 3


def test_equal_values_of_different_types_are_different_pairs():
    """1, True and 1.0 are equal in Python and not on the wire."""
    pairs, _ = cache()
    got = [pairs.encoded({"k": value}) for value in (1, True, 1.0, 0, False, 0.0, -0.0, True, 1)]
    assert got == [[f"k={value!r}".encode()] for value in (1, True, 1.0, 0, False, 0.0, -0.0, True, 1)]


def test_long_texts_and_odd_values_are_encoded_and_forgotten():
    """What is large or rare passes through."""
    pairs, asked = cache()
    values = ["x" * (MAX_TEXT + 1), 1.5, b"b", [1], {"a": 1}, None]
    for value in values * 2:
        assert pairs.encoded({"k": value}) == [f"k={value!r}".encode()]
    assert len(asked) == 2 * len(values)


def test_what_is_remembered_is_bounded():
    """New values, new keys and long keys never make it grow beyond its bounds."""
    pairs, _ = cache()
    for number in range(3 * MAX_VALUES):
        assert pairs.encoded({"user.id": f"u{number}"}) == [f"user.id='u{number}'".encode()]
    for number in range(3 * MAX_KEYS):
        pairs.encoded({f"key{number}": number, "x" * MAX_KEY + str(number): "v"})
    assert len(pairs._texts) <= MAX_KEYS
    assert len(pairs._ints) <= MAX_KEYS
    assert max(len(values) for values in (*pairs._texts.values(), *pairs._ints.values())) <= MAX_VALUES
    assert max(map(len, pairs._texts)) <= MAX_KEY
