"""`python -m benchmarks.fuzz_native [--minutes N]`: random and damaged data through the native module, built with sanitizers.

The module is compiled into a temporary folder with AddressSanitizer and UndefinedBehaviorSanitizer, and what it makes is compared with the Python
code. `--plain` runs it as users have it and watches the memory of the process instead: after a warm-up it may not grow. The exit code is 1 when a
sanitizer, a comparison or the memory found something; the seed is told first, and `--seed` runs the same cases again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tracebridge import native
from tracebridge.native import building

SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1"
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "PYTHONMALLOC": "malloc",  # otherwise the sanitizer does not see where Python's objects end
    native.CHOICE: "0",  # the module of the checkout stays out of the process
}
MOST_GROWTH_MIB = 8
EVERY_S = 60.0

Case = Callable[[random.Random], None]


def main() -> int:
    """Build, run, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--plain", action="store_true", help="without sanitizers: watch the memory")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        return fuzz(given.folder, given.seed, given.minutes * 60, given.plain)
    with tempfile.TemporaryDirectory(prefix="tracebridge-fuzz-") as folder:
        environment = {**os.environ, **OPTIONS}
        if given.plain:
            environment = {**os.environ, native.CHOICE: "0"}
        else:
            os.environ["CFLAGS"] = SANITIZERS
            environment["LD_PRELOAD"] = _library("libasan.so")
        os.environ.pop(native.CHOICE, None)
        problem = building.try_to_build(Path(folder) / building.product_name())
        if problem:
            print(problem)
            return 1
        print(f"seed {given.seed}", flush=True)
        command = [sys.executable, "-m", __spec__.name, "--folder", folder, "--seed", str(given.seed), "--minutes", str(given.minutes)]  # fmt: skip
        return (
            subprocess.run([*command, *(["--plain"] if given.plain else [])], env=environment, check=False).returncode
            != 0
        )


def _library(name: str) -> str:
    compiler = shutil.which("gcc") or shutil.which("cc") or "cc"
    return subprocess.run(
        [compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True
    ).stdout.strip()


def fuzz(folder: str, seed: int, seconds: float, watches_memory: bool) -> int:
    """Run cases until the time is up."""
    native.functions, native.state = native.chosen("1", folder)
    from benchmarks.native_cases import cases  # asks for the module when it is imported

    chance = random.Random(seed)
    all_cases = cases()
    begun = said = time.monotonic()
    run = dict.fromkeys((case.__name__ for case in all_cases), 0)
    before = 0.0
    while (now := time.monotonic()) < begun + seconds:
        case = chance.choice(all_cases)
        state = chance.getstate()
        try:
            case(chance)
        except Exception:
            again = random.Random()
            again.setstate(state)
            print(f"{case.__name__} failed after {sum(run.values())} cases, seed {seed}", flush=True)
            raise
        run[case.__name__] += 1
        if not before and now > begun + seconds / 4:
            before = _resident_mib()
        if now - said > EVERY_S:
            said = now
            print(f"{now - begun:.0f} s: {sum(run.values())} cases, {_resident_mib():.1f} MiB", flush=True)
    grown = _resident_mib() - before
    print(", ".join(f"{name} {count}" for name, count in run.items()))
    print(f"{sum(run.values())} cases; {grown:+.1f} MiB since a quarter of them had run")
    return int(watches_memory and grown > MOST_GROWTH_MIB)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
