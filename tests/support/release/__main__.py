"""The steps of a release, one after the other; see `--help`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from support.pythons import OLDEST
from support.release import dependencies, files, installing, sources
from support.release.step import ROOT, FailedError, NotDoneError
from tracebridge.version import VERSION

EPILOG = """examples:
  python -m support.release --prepare       date the changelog, write down the new names; look at it and commit it
  python -m support.release                 every step, the files in dist/
  python -m support.release --python python3.11 --python python3.14 --output /tmp/files --json

exit codes: 0 when every step passed or could not be done on this machine, which is said; 1 when one failed; 2 for wrong arguments
"""


class Step(NamedTuple):
    """One step."""

    words: str
    run: Callable[[], str]
    stops: bool
    """Whether the steps after it need it."""


class Release:
    """What the steps hand to each other."""

    def __init__(self, work: Path, output: Path, pythons: list[str]):
        self.work = work
        self.output = output
        self.named = pythons
        self.made = self.second = work
        self.bills: dict[str, Any] = {}

    def steps(self) -> list[Step]:
        """Return the steps in their order."""
        return [
            Step("the changelog knows the version", sources.version_and_changelog, False),
            Step("the reference knows since when each name is there", sources.names, False),
            Step("everything is committed", sources.clean_tree, False),
            Step("sdist and wheels, built twice", self._build, True),
            Step("two builds are the same, and the sdist builds what the tree does", self._same, True),
            Step("the package index would take them (twine)", lambda: files.well_formed(self.made), False),
            Step("they hold what is committed and nothing else", self._contents, False),
            Step("installed in fresh environments, and used there", self._install, True),
            Step("licences of all dependencies are on the list", self._licences, False),
            Step("nothing is known against any of them (pip-audit)", self._audit, False),
            Step("handed over with checksums", lambda: files.hand_over(self.made, self.output), False),
        ]

    def _build(self) -> str:
        self.made, self.second = files.build(self.work)
        return ", ".join(sorted(path.name for path in self.made.iterdir()))

    def _same(self) -> str:
        return files.same_files(self.made, self.second)

    def _contents(self) -> str:
        return files.contents(self.made, self.work / "first" / "clone")

    def _install(self) -> str:
        wanted, done = installing.pythons(self.named), []
        for python, extra, fresh in installing.environments(files.pure_wheel(self.made), self.work, wanted):
            done.append(python.name)
            say(f"   {python.name} {extra or 'plain'}")
            if python == wanted[-1]:
                self.bills[extra] = dependencies.bill(fresh)
        (sdist,) = self.made.glob("*.tar.gz")
        for built in filter(None, [sdist, files.compiled_wheel(self.made)]):
            installing.tried(built, sys.executable, installing.PLAIN, self.work / f"from-{built.name}")
            say(f"   {built.name}")
        for extra, document in self.bills.items():
            name = f"tracebridge-{VERSION}{extra and '-' + extra}.cdx.json"
            (self.made / name).write_text(json.dumps(document, indent=2) + "\n")
        return f"{len(done)} environments with {', '.join(dict.fromkeys(done))}; {len(self.bills)} bills of materials"

    def _licences(self) -> str:
        return dependencies.licences(self.bills, self.made / f"tracebridge-{VERSION}-licences.md")

    def _audit(self) -> str:
        return dependencies.audit(self.bills.values(), self.work)


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def run(steps: list[Step]) -> list[dict[str, str]]:
    """Run the steps and tell of each; return what came of them. Ends at a failure that the next ones cannot do without."""
    results = []
    for number, step in enumerate(steps, 1):
        say(f"== {number}/{len(steps)} {step.words}")
        started = time.monotonic()
        try:
            outcome, told = "passed", step.run()
        except NotDoneError as why:
            outcome, told = "not done", str(why)
        except FailedError as problems:
            outcome, told = "failed", str(problems)
        results.append({"step": step.words, "outcome": outcome, "told": told})
        say("\n".join(f"   {line}" for line in f"{outcome} in {time.monotonic() - started:.0f} s: {told}".splitlines()))
        if outcome == "failed" and step.stops:
            break
    return results


def main() -> int:
    """Read the arguments, do the steps, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m support.release",
        description="Build the files of a release and look at them from every side. Nothing is uploaded.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    oldest = ".".join(map(str, OLDEST))
    parser.add_argument("--prepare", action="store_true", help="only write what a release changes in the repository")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="where the files go (default: dist/)")
    parser.add_argument("--python", action="append", default=[], metavar="PYTHON", help=f"install on this one; may be repeated (default: the oldest from {oldest} on and the newest that are there)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what came of each step as one JSON object")
    arguments = parser.parse_args()
    if arguments.prepare:
        for line in sources.prepare():
            say(line)
        return 0
    with tempfile.TemporaryDirectory() as work:
        release = Release(Path(work), arguments.output.absolute(), arguments.python)
        results = run(release.steps())
    failed = [each["step"] for each in results if each["outcome"] == "failed"]
    if arguments.json:
        print(json.dumps({"version": VERSION, "released": not failed, "steps": results}, indent=2))
    say(f"failed: {'; '.join(failed)}" if failed else f"{VERSION} is in {arguments.output}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
