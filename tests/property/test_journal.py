"""Laws of the journal on disk: whatever is written, settled and killed in whatever order, each adapter gets its own once."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.journals import NAMES, Life, number_of, record
from tracebridge.journal.adoption import Left
from tracebridge.journal.base import Claim, decode_record
from tracebridge.journal.folder import folders


class JournalMachine(RuleBasedStateMachine):
    """Two adapters, any number of lives, against lists of numbers.

    As in a running process, what the dead left is adopted folder by folder, and spans end in between. A third adapter is named in some lives only.
    """

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.number = 0
        self.own: dict[str, list[int]] = {name: [] for name in NAMES}  # owed, of this life
        self.left: dict[str, list[int]] = {name: [] for name in NAMES}  # owed, of dead ones, adopted
        self.away: dict[str, set[int]] = {name: set() for name in NAMES}  # by the dead, and not adopted yet
        self.waiting: list[Left] = []
        self.live()

    def live(self) -> None:
        """Begin a life with many segments."""
        self.life = Life(self.directory, 64 * 2**20)
        self.life.journal._next_bytes = self.life.journal._largest = 2048

    @rule(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=20))
    def append(self, sizes: list[int]) -> None:
        with self.life.accounts.lock:
            for size in sizes:
                self.number += 1
                self.life.journal.append(record(self.number, size))
                for name in NAMES:
                    self.own[name].append(self.number)

    @rule(name=st.sampled_from(NAMES), most=st.integers(1, 12), max_bytes=st.integers(1, 5000))
    def claim(self, name: str, most: int, max_bytes: int) -> None:
        flying = {n for c in self.life.claims[name] for n in self._unsettled(c)}
        own = [n for n in self.own[name] if n not in flying]
        left = [n for n in self.left[name] if n not in flying]
        with self.life.accounts.lock:
            claim = self.life.cursors[name].claim(most, max_bytes)
        if claim is None:
            assert not own + left
            return
        numbers = [number_of(data) for data in claim.records]
        assert 0 < len(numbers) <= most
        assert numbers == own[: claim.own] + left[: len(numbers) - claim.own]
        if own and left and most > 1:
            assert 0 < claim.own < len(numbers)  # nobody waits for the others
        self.life.claims[name].append(claim)

    def _unsettled(self, claim: Claim) -> list[int]:
        return [number_of(data) for data in claim.records][claim.size - claim.unsettled :]

    @precondition(lambda self: any(self.life.claims.values()))
    @rule(data=st.data())
    def settle(self, data: Any) -> None:
        name = data.draw(st.sampled_from([name for name in NAMES if self.life.claims[name]]))
        claim = data.draw(st.sampled_from(self.life.claims[name]))
        spans = data.draw(st.integers(1, claim.unsettled))
        for number in self._unsettled(claim)[:spans]:
            (self.own if number in self.own[name] else self.left)[name].remove(number)
        with self.life.accounts.lock:
            self.life.cursors[name].settle(claim, spans)
        if not claim.unsettled:
            self.life.claims[name].remove(claim)

    @rule(stranger=st.booleans(), orderly=st.booleans())
    def die_and_come_back(self, stranger: bool, orderly: bool) -> None:
        if orderly:
            self.life.close()
        else:
            self.life.die()
        for left in self.waiting:
            left.close()
        for name in NAMES:
            self.away[name].update(self.own[name], self.left[name])
            self.own[name], self.left[name] = [], []
        if stranger:  # another configuration looks in, with one adapter of ours, and takes nothing
            other = Life(self.directory, 64 * 2**20, (NAMES[0], "stranger"))
            other.adopt(self.directory)
            other.die()
        self.live()
        self.waiting = self.life.find(self.directory)

    @precondition(lambda self: self.waiting)
    @rule(most=st.integers(1, 3))
    def adopt(self, most: int) -> None:
        for left in self.waiting[:most]:
            numbers = [number_of(segment.body(at)) for segment in left.segments for at in segment.offsets]
            with self.life.accounts.lock:
                self.life.journal.adopt(left)
            for name in NAMES:
                self.left[name] += [number for number in numbers if number in self.away[name]]
                self.away[name].difference_update(numbers)
        del self.waiting[:most]

    @invariant()
    def what_is_queued_is_what_is_owed(self) -> None:
        if hasattr(self, "life"):
            with self.life.accounts.lock:
                queued = {name: (cursor.queued, cursor.left_queued) for name, cursor in self.life.cursors.items()}
            owed = {name: (len(self.own[name]) + len(self.left[name]), len(self.left[name])) for name in NAMES}
            assert queued == owed

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        self.die_and_come_back(stranger=True, orderly=False)
        self.adopt(len(self.waiting))
        assert self.away == {name: set() for name in NAMES}
        for name, cursor in self.life.cursors.items():
            got = []
            with self.life.accounts.lock:
                while (claim := cursor.claim(50, 10**6)) is not None:
                    got += [number_of(data) for data in claim.records]
                    cursor.settle(claim, claim.size)
            assert got == self.left[name]
        with self.life.accounts.lock:
            self.life.journal.close()
        assert list(folders(self.directory)) == []  # nothing is owed, so nothing is left
        shutil.rmtree(self.directory)


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(
    spans=st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(["finish", "stay", "change"])), max_size=150),
    settle_every=st.integers(1, 9),
)
@settings(deadline=None, max_examples=60)
def test_open_spans_come_back_once_however_long_the_log_went_on(
    spans: list[tuple[int, str]], settle_every: int
) -> None:
    """What was open at the end is unfinished after it, with what was set; what had ended is not."""
    directory = Path(tempfile.mkdtemp())
    life = Life(directory, 64 * 2**20, ("a",))
    life.journal._next_bytes = life.journal._largest = 8192
    journal, cursor = life.journal, life.cursors["a"]
    with life.accounts.lock:
        for number, (size, fate) in enumerate(spans):
            journal.started(number, record(number, size))
            if fate == "change":
                journal.changed(number, record(number, status_message="changed"))
            if fate == "finish":
                journal.append(record(number, size), number)
            if number % settle_every == 0 and (claim := cursor.claim(100, 10**6)) is not None:
                cursor.settle(claim, len(claim.records))
        while (claim := cursor.claim(100, 10**6)) is not None:
            cursor.settle(claim, len(claim.records))
    life.die()
    later = Life(directory, 64 * 2**20, ("a",))
    later.adopt(directory)
    came = {}
    with later.accounts.lock:
        while (claim := later.cursors["a"].claim(100, 10**6)) is not None:
            for data in claim.records:
                span = decode_record(data)
                assert (span.end_cause, span.status) == ("unfinished", 2)
                assert number_of(data) not in came
                came[number_of(data)] = span.status_message
            later.cursors["a"].settle(claim, len(claim.records))
        later.journal.close()
    wanted = {
        n: "changed" if fate == "change" else "unfinished" for n, (_, fate) in enumerate(spans) if fate != "finish"
    }
    assert {n: message.partition(":")[0] for n, message in came.items()} == wanted
    assert list(folders(directory)) == []
    shutil.rmtree(directory)


@given(sizes=st.lists(st.integers(0, 40_000), max_size=150), reads=st.lists(st.integers(0, 1), max_size=60))
@settings(deadline=None, max_examples=40)
def test_a_full_journal_loses_the_oldest_and_counts_them(sizes: list[int], reads: list[int]) -> None:
    """Each adapter gets everything in order, but for a counted number of the oldest."""
    directory = Path(tempfile.mkdtemp())
    life = Life(directory, 2**20)
    seen: dict[str, list[int]] = {name: [] for name in NAMES}
    todo = list(reads)

    def take(name: str, most: int) -> bool:
        claim = life.cursors[name].claim(most, 10**6)
        if claim is None:
            return False
        seen[name] += [number_of(data) for data in claim.records]
        life.cursors[name].settle(claim, len(claim.records))
        return True

    with life.accounts.lock:
        for number, size in enumerate(sizes):
            life.journal.append(record(number, size))
            if todo:
                take(NAMES[todo.pop()], 5)
        for name in NAMES:
            while take(name, 100):
                pass
        life.journal.close()
    for name in NAMES:
        dropped = life.accounts.adapters[name].dropped.total()
        assert len(seen[name]) + dropped == len(sizes)
        assert seen[name] == sorted(set(seen[name]))
    shutil.rmtree(directory)
