"""Faults of the process: it is killed, ends without a hook, is terminated, or forks."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.faults.fault import OURS_ONLY, Fault, Scale, is_any, is_ours
from benchmarks.faults.life import START_S, Stuck
from benchmarks.faults.receiver import Mood
from benchmarks.faults.run import Run

LONGEST_LIFE_S = 0.6
PEERS_SHARE = 5  # of the kills for everybody but our journal on disk: what keeps its spans in memory loses some at nearly every one
AT_ONCE = 2  # processes that share a journal directory
BACKLOGS = 3  # dead processes
PAD = 2000  # characters of ballast on a span
SHORT_LIFE_S = 0.1
SHORT_RATE = 200.0  # spans a second of a process of a moment
TWO = ("kept", "away")
FAST = 4000.0  # spans a second


def _calm(run: Run, scale: Scale) -> None:
    with run.tracing(scale.rate):
        run.sleep(scale.seconds)
    run.recover()


def _kill(in_flight: int, share: int) -> Callable[[Run, Scale], None]:
    """Two processes at any time; one of them is killed at a random instant and another takes its place."""

    def act(run: Run, scale: Scale) -> None:
        run.in_flight = in_flight if in_flight == 1 else 2 * in_flight  # threads need not note answers in their order
        run.options = {"rate": scale.kill_rate, "max_in_flight": in_flight}
        run.receiver.script = lambda numbers: Mood(
            delay_s=run.random.uniform(0, 0.03)
        )  # something is in flight most of the time
        kills = scale.kills // share if run.kind.ours and run.kind.durable else scale.kills // PEERS_SHARE
        alive = [run.live() for _ in range(AT_ONCE)]
        for done in range(kills):
            run.sleep(run.random.uniform(0, LONGEST_LIFE_S), done / kills, (done + 1) / kills)
            victim = alive.pop(run.random.randrange(len(alive)))
            if victim.gone:
                raise Stuck("a workload ended before it was killed")
            victim.kill()
            if done + AT_ONCE < kills:
                alive.append(run.live())
        run.recover()

    return act


def _kill_in_outage(run: Run, scale: Scale) -> None:
    """Each process finds what all before it left, and is killed in its turn, often while it takes that over."""
    run.in_flight = 1
    run.cut_off()
    kills = max(6, scale.kills // 5)
    for done in range(kills):
        life = run.live(rate=scale.kill_rate)
        run.sleep(run.random.uniform(0, 2 * LONGEST_LIFE_S), done / kills, (done + 1) / kills)
        life.kill()
    run.reconnect()
    run.recover()


def _restart(run: Run, scale: Scale) -> None:
    """A deployment at the wrong time: the process closes in peace, within its bound, while the server is down."""
    run.cut_off()
    for done in range(scale.ends):
        life = run.live(rate=scale.rate, close_s=0.2)
        run.sleep(run.random.uniform(0.3, 1), done / scale.ends, (done + 1) / scale.ends)
        run.end(life)
    run.reconnect()
    run.recover()


def _backlog(run: Run, scale: Scale) -> None:
    """What dead processes left is many times what the next one may hold, and that one traces too."""
    run.in_flight = 1
    run.cut_off()
    for done in range(BACKLOGS):
        life = run.live(rate=FAST, pad=PAD, journal={"max_bytes": "512MiB"})
        run.sleep(1.5, done / BACKLOGS, (done + 0.8) / BACKLOGS)
        life.kill()
    run.reconnect()
    run.options = {"journal": {"max_bytes": "4MiB"}}
    life = run.live(rate=scale.rate)
    run.sleep(scale.seconds)
    run.end(life)
    run.recover()


def _exit(run: Run, scale: Scale) -> None:
    run.in_flight = 1
    for done in range(scale.ends):
        seconds = run.random.uniform(0.1, LONGEST_LIFE_S)
        run.live(rate=scale.rate, seconds=seconds, ending="exit").finish(START_S)
        run.tick(done / scale.ends)
    run.recover()


def _terminate(run: Run, scale: Scale) -> None:
    run.in_flight = 1
    for done in range(scale.ends):
        life = run.live(rate=scale.rate, flush_on_sigterm=True, close_s=5)
        run.sleep(run.random.uniform(0.5, 1.5), done / scale.ends, (done + 1) / scale.ends)
        life.terminate(30)
    run.recover()


def _fork(run: Run, scale: Scale) -> None:
    run.in_flight = 1
    life = run.live(children=scale.children)
    run.note(life.finish(START_S + scale.children))
    run.recover()


def _short_lives(run: Run, scale: Scale) -> None:
    """Cron jobs and the steps of a build: many processes of a moment while the server is down, then one that finds what they left, and traces."""
    run.cut_off()
    lives = 3 * scale.ends
    for done in range(lives):
        run.live(rate=SHORT_RATE, seconds=SHORT_LIFE_S, ending="exit").finish(START_S)
        run.tick(done / lives)
    run.reconnect()
    life = run.live(rate=scale.rate)
    run.sleep(scale.seconds)
    run.end(life)
    run.recover()


def _deploy(run: Run, scale: Scale) -> None:
    """A destination that is down is taken out of the configuration, and comes back with the next version."""
    direct = f"http://127.0.0.1:{run.receiver.port}"
    both = {TWO[0]: direct, TWO[1]: run.destinations[TWO[1]]}
    run.proxy.down()
    for done in range(scale.ends):
        run.destinations = both
        with run.tracing(scale.rate, close_s=0.5):
            run.sleep(run.random.uniform(0.3, 1), done / scale.ends, (done + 0.5) / scale.ends)
        run.destinations = {TWO[0]: direct}
        run.note(run.live(rate=0, close_s=2).stop(START_S))
    run.destinations = both
    run.proxy.up()
    run.recover()


FAULTS = [
    Fault("calm", "nothing happens", _calm, is_any),
    Fault("kill", "kill -9 at random instants, two processes at a time", _kill(1, 1), is_any, in_memory_loses=True, counts=False),
    Fault("kill-parallel", "kill -9 at random instants, four requests in flight", _kill(4, 5), is_ours, OURS_ONLY, in_memory_loses=True, counts=False),
    Fault("kill-in-outage", "kill -9 again and again while the server is down", _kill_in_outage, is_any, in_memory_loses=True, counts=False),
    Fault("restart", "closed in peace while the server is down", _restart, is_any, in_memory_loses=True),
    Fault("backlog", "a backlog larger than the budget of the process that finds it", _backlog, in_memory_loses=True, counts=False),
    Fault("exit", "os._exit at random instants", _exit, in_memory_loses=True, counts=False),
    Fault("sigterm", "SIGTERM at random instants", _terminate, in_memory_loses=True, counts=False),
    Fault("short-lives", "many processes of a moment while the server is down, then one beside what they left", _short_lives, in_memory_loses=True, counts=False),
    Fault("deploy", "a deploy takes a destination that is down out of the configuration, the next one brings it back", _deploy, is_ours, OURS_ONLY, in_memory_loses=True, counts=False, destinations=TWO),
    Fault("fork", "forked in mid-trace, children end by os._exit", _fork, in_memory_loses=True, counts=False),
]  # fmt: skip
