"""A batch that becomes parts: each is settled, repeated, split and given up on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from support.delivery import Bench
from tracebridge.errors import Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.plugins.adapter import Part, Sent
from tracebridge.plugins.options import SendingQueue
from tracebridge.records.record import SpanRecord

Answers = Callable[[int, list[str]], list[Any]]


class OneByOne:
    """A destination whose bodies hold spans of one first letter; it takes them one after the other."""

    max_batch_spans = 1000
    max_batch_bytes: int | None = None

    def __init__(self, answers: Answers = lambda number, bodies: [Sent() for _ in bodies]) -> None:
        self.answers = answers
        self.requests: list[list[str]] = []

    def encode(self, records: Sequence[SpanRecord]) -> Any:
        letters = dict.fromkeys(record.name[0] for record in records)
        groups = [[record for record in records if record.name[0] == letter] for letter in letters]
        return [Part(" ".join(r.name for r in group).encode(), group, group[0].name[0].encode()) for group in groups]

    def send(self, body: bytes, spans: int) -> Any:
        assert len(body.split()) == spans
        self.requests.append([body.decode()])
        (answer,) = self.answers(len(self.requests), [body.decode()])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


class Together(OneByOne):
    """One that takes them all at once."""

    def send_parts(self, parts: Sequence[Part]) -> Any:
        bodies = [part.body.decode() for part in parts]
        assert [part.key for part in parts] == [body[:1].encode() for body in bodies]
        self.requests.append(bodies)
        return self.answers(len(self.requests), bodies)


def told(bench: Bench) -> tuple[int, int, dict[str, int], list[tuple[str, str]]]:
    """What is exported, queued and dropped, and the dead letters."""
    stats = bench.stats
    letters = [(letter.record.name, letter.reason) for letter in bench.letters.list()]
    return stats.exported, stats.queued, {k: n for k, n in stats.dropped.items() if n}, letters


@pytest.mark.parametrize("error", [Retryable("down"), Misconfigured("no right to write")])
def test_only_the_part_that_was_not_taken_is_sent_again(error):
    """What was acknowledged is settled, whatever became of its neighbours."""
    adapter = Together(lambda number, bodies: [error if number == 1 and body[0] == "b" else Sent() for body in bodies])
    bench = Bench(adapter, queue=SendingQueue(flush_interval=60))
    bench.add("a1", "b1", "c1", "a2", "b2")
    assert bench.flush()
    assert (adapter.requests, told(bench)) == ([["a1 a2", "b1 b2", "c1"], ["b1 b2"]], (5, 0, {}, []))
    bench.close()


@pytest.mark.parametrize(("error", "reason"), [(Rejected("bad"), "rejected"), (TooLarge("big"), "too_large")])
def test_a_part_that_is_refused_is_split_alone(error, reason):
    """Its neighbours are not sent again, and one bad span is one dead letter."""
    adapter = Together(lambda number, bodies: [error if "b2" in body else Sent() for body in bodies])
    bench = Bench(adapter, queue=SendingQueue(flush_interval=60))
    bench.add("a1", "b1", "b2", "c1")
    assert bench.flush()
    requests = [["a1", "b1 b2", "c1"], ["b1"], ["b2"]]
    assert (adapter.requests, told(bench)) == (requests, (3, 0, {reason: 1}, [("b2", reason)]))
    bench.close()


def test_a_part_beyond_the_limit_is_split_before_it_is_sent():
    """`max_batch_bytes` holds for each part, not for the batch."""
    adapter = Together()
    adapter.max_batch_bytes = 5
    bench = Bench(adapter, queue=SendingQueue(flush_interval=60))
    bench.add("a1", "a2", "b1", "b2", "b3", "b4")
    assert bench.flush()
    assert (adapter.requests, told(bench)) == ([["b1 b2"], ["b3 b4"], ["a1 a2"]], (6, 0, {}, []))
    bench.close()


def test_an_adapter_without_send_parts_gets_them_one_after_the_other():
    """A part that fails is repeated before the next one goes."""
    adapter = OneByOne(lambda number, bodies: [Retryable("down") if number == 2 else Sent()])
    bench = Bench(adapter, queue=SendingQueue(flush_interval=60))
    bench.add("a1", "b1", "c1", "a2")
    assert bench.flush()
    assert (adapter.requests, bench.stats.exported) == ([["a1 a2"], ["b1"], ["b1"], ["c1"]], 4)
    bench.close()


WRONG: list[tuple[str, Any, str]] = [
    ("text", lambda records: "text", "encode() returned str; it has to return bytes, or a list of Part"),
    ("nothing", lambda records: None, "encode() returned NoneType; it has to return bytes, or a list of Part"),
    ("texts", lambda records: ["a"], "encode() returned list; it has to return bytes, or a list of Part"),
    ("one left out", lambda records: [], "the parts that encode() returned do not hold each of the records once"),
    ("twice", lambda records: [Part(b"", records)] * 2, "the parts that encode() returned do not hold each of the records once"),
]  # fmt: skip


@pytest.mark.parametrize(("encode", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_not_bytes_or_whole_parts_is_a_dead_letter_that_says_so(encode, words):
    """A mistake in a stranger's adapter is named, costs no worker, and no span is lost uncounted."""
    adapter = OneByOne()
    adapter.encode = encode
    bench = Bench(adapter)
    bench.add("a1", "a2")
    assert bench.flush()
    assert (bench.stats.dropped["rejected"], words in bench.stats.last_error, adapter.requests) == (2, True, [])
    bench.close()


@pytest.mark.parametrize(
    ("kind", "wrong", "words"),
    [
        (OneByOne, lambda bodies: [None], "send() returned NoneType; it has to return Sent"),
        (Together, lambda bodies: [], "send_parts() has to return one Sent or one exception for each part"),
        (Together, lambda bodies: [None], "send_parts() has to return one Sent or one exception for each part"),
    ],
)
def test_an_answer_of_the_wrong_type_is_named_and_the_part_is_sent_again(kind, wrong, words):
    """Nobody knows whether it was taken: rather twice than not at all."""
    adapter = kind(lambda number, bodies: wrong(bodies) if number == 1 else [Sent()])
    bench = Bench(adapter)
    bench.add("a1")
    assert bench.flush()
    assert (adapter.requests, bench.stats.exported, words in bench.stats.last_error) == ([["a1"]] * 2, 1, True)
    bench.close()
