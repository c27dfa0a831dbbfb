"""`python -m benchmarks.instructions [WORK …]`: instructions of the processor a span, by callgrind, which neighbours cannot change.

Each work runs twice in a process of its own under valgrind, with few and with many spans; the difference is what the spans cost the thread
that calls. Once before that it runs without valgrind: what it imports is compiled then, into a folder that the other two read. `--checkout DIR` measures another checkout's code with this one's works. valgrind comes with the system (`apt install valgrind`).
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT

FEW, MANY = 200, 1_200  # spans
PACKAGES = ("bridge", "adapters", "config")

_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def _spans(client: Any, count: int) -> None:
    from benchmarks import ours

    ours.spans(client, count, ours.ATTRIBUTES)()


def _traces_of_ten(client: Any, count: int) -> None:
    from benchmarks import ours, realistic

    for n in range(count // 10):
        realistic.trace_of_ours(client, f"order-{n}", [ours.fresh_attributes(n * 10 + k) for k in range(10)])


def _traces_of_one(client: Any, count: int) -> None:
    from benchmarks import ours, realistic

    for n in range(count):
        realistic.trace_of_ours(client, f"order-{n}", [ours.fresh_attributes(n)])


def _managers(client: Any, count: int) -> None:
    from benchmarks import ours

    with client.trace("root"):
        for _ in range(count):
            with client.span("operation", attributes=ours.ATTRIBUTES):
                pass


WORKS: dict[str, Callable[[Any, int], None]] = {
    "traces-of-ten": _traces_of_ten,
    "traces-of-one": _traces_of_one,
    "spans": _spans,
    "with": _managers,
}


def client() -> Any:
    """Return a client that delivers nothing while calls are measured, built by what every checkout has."""
    from tracebridge import Client

    waiting = {"flush_interval": "1h", "max_batch": 1_000_000}
    return Client(config={"adapters": {"memory": {"sending_queue": waiting}}})


def work(name: str, count: int) -> None:
    """Do a work in this process. The collector is off and delivery waits, because neither is what a call costs."""
    one_client = client()
    gc.disable()
    WORKS[name](one_client, count)
    os._exit(0)


def instructions(name: str, counts: Sequence[int], checkout: Path = ROOT) -> list[int]:
    """Return what the main thread of a process that does a work takes in all, for each number of spans. Raises RuntimeError when it fails."""
    with tempfile.TemporaryDirectory(prefix="benchmark-callgrind-") as folder:
        out = Path(folder, "out")
        valgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
        _process(name, 0, checkout, folder, [])
        taken = []
        for count in counts:
            _process(name, count, checkout, folder, valgrind)
            taken.append(int(_TOTALS.findall(Path(f"{out}-01").read_text())[-1]))
        return taken


def _process(name: str, count: int, checkout: Path, compiled: str, under: Sequence[str]) -> None:
    path = os.pathsep.join(str(checkout / package) for package in PACKAGES)
    done = subprocess.run(
        [*under, sys.executable, "-m", "benchmarks.instructions", "--work", name, "--spans", str(count)],
        check=False, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name} failed in {checkout}:\n{done.stderr[-2_000:]}")


def a_span(name: str, checkout: Path = ROOT) -> float:
    """Return the instructions that one span costs."""
    few, many = instructions(name, (FEW, MANY), checkout)
    return (many - few) / (MANY - FEW)


def main() -> int:
    """Print the instructions a span of each work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"default: all of {', '.join(WORKS)}")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose code is measured (default: this one's)")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--spans", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.spans)
    unknown = [name for name in arguments.works if name not in WORKS]
    if unknown:
        parser.error(f"unknown work: {', '.join(unknown)}; there are {', '.join(WORKS)}")
    if shutil.which("valgrind") is None:
        parser.error("valgrind is missing; it comes with the system, such as by `apt install valgrind`")
    for name in arguments.works or WORKS:
        print(f"{name:14} {a_span(name, arguments.checkout.resolve()):10,.0f} instructions a span", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
