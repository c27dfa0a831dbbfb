"""Missing lines, told from their numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracebridge.replay import gaps as module
from tracebridge.replay.gaps import Gaps, Missing


def noted(*numbers: int) -> list[Missing]:
    """What is missing after these numbers of one writer."""
    gaps = Gaps()
    for number in numbers:
        gaps.note("w", number)
    return gaps.missing()


def test_a_number_that_never_comes_is_a_missing_line():
    """Said with its writer."""
    assert noted(1, 2, 5, 6, 9) == [Missing("w", 4, 3)]
    assert str(noted(1, 3)[0]) == "1 line of writer w, from number 2"


def test_lines_that_come_late_or_twice_are_not_missing():
    """Shippers reorder and repeat."""
    assert noted(1, 4, 2, 2, 3, 1, 4) == []


def test_what_came_before_the_first_line_that_was_read_is_not_missing():
    """A rotated part may be gone on purpose."""
    assert noted(1000, 1001) == []


def test_writers_are_apart_and_bounded(monkeypatch):
    """Several processes may write into one file."""
    monkeypatch.setattr(module, "MAX_WRITERS", 2)
    gaps = Gaps()
    for writer in "abc":
        gaps.note(writer, 1)
        gaps.note(writer, 3)
    assert gaps.missing() == [Missing(writer, 1, 2) for writer in "abc"]
    assert gaps.count() == 3


def test_holes_are_bounded_and_stay_counted(monkeypatch):
    """Their number does not grow the memory."""
    monkeypatch.setattr(module, "MAX_HOLES", 3)
    assert noted(*range(1, 100, 2)) == [Missing("w", 49, 2)]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80))
def test_the_count_is_that_of_the_set(numbers):
    """Whatever the order: what lies between the first that was read and the highest, and never came."""
    wanted = [number for number in range(numbers[0], max(numbers)) if number not in numbers]
    assert noted(*numbers) == ([Missing("w", len(wanted), wanted[0])] if wanted else [])
