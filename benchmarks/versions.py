"""Versions of tracebridge that the repository's history has, each installed in an environment of its own, beside today's.

    python -m benchmarks.versions samples               make tests/samples anew, with every version
    python -m benchmarks.versions python NAME           print the Python that has a version installed

`python -m benchmarks.faults.rolling` runs them beside today's. A version is installed with the first use, which takes half a minute, in a folder of the user's cache.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "samples"
TODAY = "0.2.0"
"""This checkout: after its release its tag goes into `VERSIONS`, and the next version stands here."""
VERSIONS = {
    "0.1.0-20261123": "c6d9612",
    "0.1.0-20261125": "d3f1c8d",
    "0.1.0-20261130": "e34964b",
}
"""By name, the commit: states of 0.1.0, of which nothing was ever released, whose data differ."""
NEEDS = ("opentelemetry-proto",)
"""What the fault harness needs of an environment, beside a version."""


def python_of(name: str) -> str:
    """Return the Python that has a version installed; installs it when that is not so. Raises CalledProcessError."""
    if name == TODAY:
        return sys.executable
    commit = VERSIONS[name]
    home = _cache() / f"{commit}-{sys.version_info.major}.{sys.version_info.minor}"
    python = home / "venv" / "bin" / "python"
    if not python.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as temporary:
            sources = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
            with tarfile.open(fileobj=io.BytesIO(sources)) as archive:
                archive.extractall(temporary, filter="data")
            unborn = home / "unborn"
            shutil.rmtree(unborn, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", unborn], check=True)
            pip = [str(unborn / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, temporary, *NEEDS], check=True)
            unborn.rename(home / "venv")  # whole, or not there
    return str(python)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracebridge-versions"


def make_samples() -> None:
    """Make the samples of every version anew."""
    for name in (*VERSIONS, TODAY):
        target = SAMPLES / name
        shutil.rmtree(target, ignore_errors=True)
        print(f"{name}:")
        subprocess.run([python_of(name), ROOT / "tests" / "support" / "samples.py", target], check=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("samples")
    commands.add_parser("python").add_argument("name", choices=[*VERSIONS, TODAY])
    arguments = parser.parse_args()
    if arguments.command == "samples":
        make_samples()
    else:
        print(python_of(arguments.name))


if __name__ == "__main__":
    main()
