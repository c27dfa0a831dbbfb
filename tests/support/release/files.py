"""The files of a release: built twice from clean clones, compared, looked into."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import shutil
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.release.sources import commit_time, tracked
from support.release.step import ROOT, require, run
from tracebridge.version import VERSION

PACKAGES = ("bridge/", "adapters/", "config/")
SAMPLES = "tests/samples/"
"""What earlier versions wrote: logs and databases that are meant."""
NATIVE = "TRACEBRIDGE_NATIVE"  # 0 makes a wheel for every system, 1 one with the compiled module
SUMS = "SHA256SUMS"
_COMPILED = re.compile(r"tracebridge/native/\w+(\.[\w-]+)?\.(so|pyd)")
_METADATA = re.compile(r"tracebridge-[^/]+\.dist-info/(METADATA|RECORD|WHEEL|entry_points\.txt|licenses/LICENSE)")
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20}")
_UNWANTED = re.compile(
    r"(^|/)(__pycache__|\.[a-z_]*cache|\.hypothesis|\.venv[^/]*|\.git|\.env[^/]*|\.netrc|\.pypirc|id_rsa|id_ed25519)(/|$)"
    r"|\.(py[co]|pem|key|p12|pfx|db|db-wal|db-shm|log|whl|swp|orig|rej)$"
)


def build(work: Path) -> tuple[Path, Path]:
    """Build everything twice: wheels from the sdist, and wheels from the tree, in clones at different places. Return both folders."""
    made = []
    for name, ways in (("first", [[]]), ("second", [["--sdist"], ["--wheel"]])):
        clone, out = work / name / "clone", work / name / "dist"
        run("git", "clone", "-q", ROOT, clone)
        for native in ("0", "1"):
            for way in ways:
                environment = {"SOURCE_DATE_EPOCH": commit_time(), NATIVE: native}
                run(sys.executable, "-m", "build", *way, "--outdir", out, clone, cwd=work, env=environment)
        made.append(out)
    return made[0], made[1]


def same_files(first: Path, second: Path) -> str:
    """Compare two builds of the same commit, byte for byte."""
    ours, theirs = ({path.name: path.read_bytes() for path in sorted(made.iterdir())} for made in (first, second))
    problems = [f"only one of two builds has {name}" for name in sorted(ours.keys() ^ theirs.keys())]
    both = sorted(ours.keys() & theirs.keys())
    problems += [f"two builds of one commit differ: {name}" for name in both if ours[name] != theirs[name]]
    require(problems)
    return f"{', '.join(sorted(ours))}: the same twice, and from the sdist as from the tree"


def well_formed(folder: Path) -> str:
    """Ask twine whether the package index would take them."""
    files = _distributions(folder)
    run(sys.executable, "-m", "twine", "check", "--strict", *files)
    return f"{len(files)} files"


def contents(folder: Path, clone: Path) -> str:
    """Look whether the files hold what is committed, all of it and nothing else."""
    committed, problems, count = tracked(clone), [], 0
    for path in _distributions(folder):
        held = read(path)
        count += len(held)
        check = wheel_problems if path.suffix == ".whl" else sdist_problems
        problems += [f"{path.name}: {each}" for each in [*check(held, committed), *unwanted(held)]]
    require(problems)
    return f"{count} files within, each as committed"


def read(path: Path) -> dict[str, bytes]:
    """Return what a wheel or an sdist holds; of an sdist without its outermost folder."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    with tarfile.open(path) as sdist:
        members = [member for member in sdist if not member.isdir()]
        files = {member.name.partition("/")[2]: sdist.extractfile(member) for member in members}
        return {name: file.read() if file else b"" for name, file in files.items()}


def wheel_problems(
    held: Mapping[str, bytes], committed: Mapping[str, bytes], rules: Mapping[str, Any] | None = None
) -> list[str]:
    """Return what a wheel has too much, too little or changed, a line each. `rules` are hatchling's for wheels: by default pyproject.toml's."""
    rules = rules or tomllib.loads(committed["pyproject.toml"].decode())["tool"]["hatch"]["build"]["targets"]["wheel"]
    packages = {folder: Path(folder).name for folder in rules["packages"]}
    left_out = [pattern.removeprefix("/") for pattern in rules.get("exclude", ())]
    wanted = {
        path.replace(folder, package, 1): data
        for folder, package in packages.items()
        for path, data in committed.items()
        if path.startswith(f"{folder}/") and not any(fnmatch.fnmatch(path, pattern) for pattern in left_out)
    }
    for source, path in rules.get("shared-data", {}).items():
        wanted[f"tracebridge-{VERSION}.data/data/{path}"] = committed[source]
    missing = [f"lacks {path}" for path in sorted(wanted.keys() - held.keys())]
    made = {path for path in held if _METADATA.fullmatch(path) or _COMPILED.fullmatch(path)}
    return missing + _foreign({path: data for path, data in held.items() if path not in made}, wanted)


def sdist_problems(held: Mapping[str, bytes], committed: Mapping[str, bytes]) -> list[str]:
    """Return what an sdist has too much, too little (of the packages) or changed, a line each."""
    wanted = {path for path in committed if path.startswith(PACKAGES)}
    missing = [f"lacks {path}" for path in sorted((wanted | {"pyproject.toml", "LICENSE", "README.md"}) - held.keys())]
    return missing + _foreign({path: data for path, data in held.items() if path != "PKG-INFO"}, committed)


def unwanted(held: Mapping[str, bytes]) -> list[str]:
    """Return what no file of a release should hold, even when it is committed: caches, logs, databases, keys."""
    problems = [
        f"{path} does not belong into a release"
        for path in sorted(held)
        if _UNWANTED.search(path) and not path.startswith(SAMPLES)
    ]
    return problems + [f"{path} holds a private key" for path, data in sorted(held.items()) if _PRIVATE.search(data)]


def _foreign(held: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> list[str]:
    foreign = [f"{path} is not committed" for path in sorted(held.keys() - wanted.keys())]
    return foreign + [
        f"{path} is not as committed" for path in sorted(held.keys() & wanted.keys()) if held[path] != wanted[path]
    ]


def hand_over(made: Path, output: Path) -> str:
    """Put the files, with their checksums, where a person takes them from."""
    output.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in made.iterdir() if path.name != SUMS)
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (made / SUMS).write_text(sums)
    others = sorted({path.name for path in output.iterdir()} - {path.name for path in made.iterdir()})
    require([f"{output} has other files: {', '.join(others)}; empty it, or name another by --output"] if others else [])
    for path in made.iterdir():
        shutil.copyfile(path, output / path.name)
    return f"{len(files)} files and {SUMS} in {output}"


def pure_wheel(folder: Path) -> Path:
    """Return the wheel for every system."""
    (wheel,) = folder.glob("*-none-any.whl")
    return wheel


def compiled_wheel(folder: Path) -> Path | None:
    """Return the wheel for this system and this Python, if there is one."""
    return next((path for path in folder.glob("*.whl") if not path.name.endswith("-none-any.whl")), None)


def _distributions(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith((".whl", ".tar.gz")))
