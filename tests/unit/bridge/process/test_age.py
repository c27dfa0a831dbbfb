"""The clock for ages: a jump forward is not believed at once, everything else is."""

from __future__ import annotations

import pytest

from tracebridge.process import age
from tracebridge.process.age import BELIEVED_AFTER_NS, JUMP_NS, AgeClock

YEAR_NS = 365 * 86_400 * 10**9


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The wall clock and the steady one, in nanoseconds, to be set."""
    now = {"wall": 10**18, "steady": 5}
    monkeypatch.setattr("time.time_ns", lambda: now["wall"])
    monkeypatch.setattr(age, "_steady_ns", lambda: now["steady"])
    return now


def test_time_that_passes_is_believed(hands):
    """Also where the clock is corrected by a little, either way."""
    clock = AgeClock()
    for step in (0, 10**9, JUMP_NS - 1, -(10**9)):
        hands["wall"] += 7 * 10**9 + step
        hands["steady"] += 7 * 10**9
        assert clock.now_ns() == hands["wall"]


def test_a_jump_forward_is_believed_after_a_day(hands):
    """Until then time passes as before; a clock that was set right meanwhile is believed at once."""
    clock = AgeClock()
    hands["wall"] += YEAR_NS
    assert clock.now_ns() == 10**18
    hands["wall"] += 10**9
    hands["steady"] += 10**9
    assert clock.now_ns() == 10**18 + 10**9
    hands["steady"] += BELIEVED_AFTER_NS
    hands["wall"] += BELIEVED_AFTER_NS
    assert clock.now_ns() == hands["wall"]
    hands["wall"] -= YEAR_NS
    assert clock.now_ns() == hands["wall"]
    hands["wall"] += 2 * JUMP_NS
    assert clock.now_ns() == hands["wall"] - 2 * JUMP_NS


def test_a_clock_that_is_set_back_is_believed_at_once(hands):
    """Less is deleted then; and the way back to the true time is a jump as any other."""
    clock = AgeClock()
    hands["wall"] -= YEAR_NS
    assert clock.now_ns() == hands["wall"]
