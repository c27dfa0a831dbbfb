"""Faults of the process: it is killed, ends without a hook, is terminated, or forks."""

from __future__ import annotations

from benchmarks.faults.fault import Fault, Scale
from benchmarks.faults.life import Stuck
from benchmarks.faults.receiver import Mood
from benchmarks.faults.run import Run

LONGEST_LIFE_S = 0.6
AT_ONCE = 2  # processes that share a journal directory
KILL_RATE = 4000.0  # spans a second of each


def _calm(run: Run, scale: Scale) -> None:
    with run.tracing(scale.rate):
        run.sleep(scale.seconds)
    run.recover()


def _kill(run: Run, scale: Scale) -> None:
    """Two processes at any time; one of them is killed at a random instant and another takes its place."""
    run.killed = True
    run.receiver.script = lambda numbers: Mood(
        delay_s=run.random.uniform(0, 0.03)
    )  # requests are in flight most of the time
    alive = [run.live(rate=KILL_RATE) for _ in range(AT_ONCE)]
    for done in range(scale.kills):
        run.sleep(run.random.uniform(0, LONGEST_LIFE_S), done / scale.kills, (done + 1) / scale.kills)
        victim = alive.pop(run.random.randrange(len(alive)))
        if victim.gone:
            raise Stuck("a workload ended before it was killed")
        victim.kill()
        if done + AT_ONCE < scale.kills:
            alive.append(run.live(rate=KILL_RATE))
        if not alive:
            break
    run.recover()


def _exit(run: Run, scale: Scale) -> None:
    run.killed = True
    for done in range(scale.ends):
        seconds = run.random.uniform(0.1, LONGEST_LIFE_S)
        run.live(rate=scale.rate, seconds=seconds, ending="exit").finish(60)
        run.tick(done / scale.ends)
    run.recover()


def _terminate(run: Run, scale: Scale) -> None:
    run.killed = True
    for done in range(scale.ends):
        life = run.live(rate=scale.rate, flush_on_sigterm=True, close_s=5)
        run.sleep(run.random.uniform(0.5, 1.5), done / scale.ends, (done + 1) / scale.ends)
        life.terminate(30)
    run.recover()


def _fork(run: Run, scale: Scale) -> None:
    run.killed = True
    life = run.live(children=scale.children)
    run.note(life.finish(60 + scale.children))
    run.recover()


FAULTS = [
    Fault("calm", "nothing happens", _calm),
    Fault("kill", "kill -9 at random instants, two processes at a time", _kill, in_memory_loses=True, counts=False),
    Fault("exit", "os._exit at random instants", _exit, in_memory_loses=True, counts=False),
    Fault("sigterm", "SIGTERM at random instants", _terminate, in_memory_loses=True, counts=False),
    Fault("fork", "forked in mid-trace, children end by os._exit", _fork, in_memory_loses=True, counts=False),
]
