"""Faults of the network and of the server: unreachable, cut, silent, slow, talking nonsense, refusing."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from benchmarks.faults.fault import Fault, Scale, is_any
from benchmarks.faults.receiver import WELL, Mood
from benchmarks.faults.run import Run
from benchmarks.faults.subjects import Kind

POISON = 97  # each number that this divides is refused for good
MOST_IN_A_REQUEST = 100
AFTER_S = 1.0  # how long tracing goes on once the illness is over
THREE = ("first", "zipkin", "down")


def _has_answers(kind: Kind) -> bool:
    return kind.protocol in {"otlp", "zipkin"}


NO_ANSWERS = "UDP has no answers"


def _outage(run: Run, scale: Scale) -> None:
    run.cut_off()
    life = run.live(rate=scale.rate)
    run.sleep(scale.seconds, 0, 0.8)
    run.reconnect()
    run.sleep(AFTER_S, 0.8, 1)
    run.end(life)
    run.recover()


def _long_outage(run: Run, scale: Scale) -> None:
    """Three destinations, one of them down for long."""
    direct = f"http://127.0.0.1:{run.receiver.port}"
    run.destinations = dict.fromkeys(THREE, direct) | {"down": run.destinations["down"]}
    run.proxy.down()
    life = run.live(rate=scale.rate, numbers=int(scale.rate * (scale.outage_s + 60) * 2), close_s=120)
    run.sleep(scale.outage_s, 0, 0.9)
    acknowledged = len(run.ledger.all_acknowledged())
    for name in THREE[:-1]:
        behind = acknowledged - run.receiver.arrivals[name].total
        if behind > 3 * scale.rate:
            run.complaints.append(f"{name} is {behind} spans behind because another destination is down")
    run.proxy.up()
    run.sleep(2 * AFTER_S, 0.9, 1)
    run.end(life)
    run.recover()


def _cut(run: Run, scale: Scale) -> None:
    life = run.live(rate=scale.rate)
    cuts = max(10, int(scale.seconds * 10))
    for done in range(cuts):
        run.sleep(run.random.uniform(0, 2 * scale.seconds / cuts), done / cuts, (done + 1) / cuts)
        run.proxy.reset()
    run.sleep(AFTER_S)
    run.end(life)
    run.recover()


def _ill(mood: Callable[[Run, list[int]], Mood]) -> Callable[[Run, Scale], None]:
    """For a while every answer is of this mood; then the server is well."""

    def act(run: Run, scale: Scale) -> None:
        run.receiver.longest_illness_s = scale.seconds
        run.receiver.script = lambda numbers: mood(run, numbers)
        life = run.live(rate=scale.rate)
        run.sleep(scale.seconds, 0, 0.8)
        run.receiver.script = lambda numbers: WELL
        run.sleep(AFTER_S, 0.8, 1)
        run.end(life)
        run.recover()

    return act


def _maybe_taken(how: str) -> Callable[[Run, list[int]], Mood]:
    """The server may have kept the spans before it fell ill; the sender cannot know."""
    return lambda run, numbers: Mood(how, takes=run.random.random() < 0.5)


def _lasting(mood: Callable[[list[int]], Mood], poison: bool) -> Callable[[Run, Scale], None]:
    """Every answer is of this mood, to the end."""

    def act(run: Run, scale: Scale) -> None:
        run.receiver.script = mood
        life = run.live(rate=scale.rate)
        run.sleep(scale.seconds)
        run.end(life)
        if poison:
            run.excused = {number for number in run.ledger.all_acknowledged() if _is_poison(number)}
        run.recover()

    return act


def _is_poison(number: int) -> bool:
    return number % POISON == 0


def _refuse_poison(numbers: list[int]) -> Mood:
    if any(map(_is_poison, numbers)):
        return Mood(status=400, takes=False, body=b"no multiples of 97, please", headers={"Content-Type": "text/plain"})
    return WELL


def _partly(numbers: list[int]) -> Mood:
    rejected = sum(map(_is_poison, numbers))
    answer = ExportTraceServiceResponse()
    if rejected:
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = "no multiples of 97, please"
    return Mood(body=answer.SerializeToString(), takes=lambda number: not _is_poison(number))


def _too_large(numbers: list[int]) -> Mood:
    return Mood(status=413, takes=False) if len(numbers) > MOST_IN_A_REQUEST else WELL


FAULTS = [
    Fault("outage", "the server is down for a while", _outage, is_any),
    Fault("cut", "connections are reset at random instants", _cut, _has_answers, "UDP has no connections", second_copies=True),
    Fault("silence", "the server takes requests and does not answer", _ill(_maybe_taken("hang")), _has_answers, NO_ANSWERS),
    Fault("drip", "the answer comes a byte at a time", _ill(_maybe_taken("drip")), _has_answers, NO_ANSWERS),
    Fault("half", "half an answer", _ill(_maybe_taken("half")), _has_answers, NO_ANSWERS),
    Fault("garbage", "an answer that is not HTTP", _ill(_maybe_taken("garbage")), _has_answers, NO_ANSWERS),
    Fault("503", "503 Service Unavailable", _ill(lambda run, numbers: Mood(status=503, takes=False)), _has_answers, NO_ANSWERS),
    Fault("429", "429 with Retry-After: 1", _ill(lambda run, numbers: Mood(status=429, headers={"Retry-After": "1"}, takes=False)), _has_answers, NO_ANSWERS),
    Fault("400", "400 for every request with a span that the server refuses", _lasting(_refuse_poison, True), _has_answers, NO_ANSWERS),
    Fault("413", "413 for more than 100 spans", _lasting(_too_large, False), _has_answers, NO_ANSWERS),
    Fault("partial", "partial success", _lasting(_partly, True), lambda kind: kind.protocol == "otlp", "only OTLP knows it"),
    Fault("long-outage", "three destinations, one down for long", _long_outage, lambda kind: kind.protocol == "otlp", "it has one destination", in_memory_loses=True, destinations=THREE),
]  # fmt: skip
