"""The release command notices what should not be released; its steps are tried with input that is wrong in one way each."""

from __future__ import annotations

import datetime
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.release import __main__ as release
from support.release import dependencies, files, installing, program, step
from support.release.sources import CHANGELOG, changelog_problems
from tracebridge.version import VERSION

TODAY = datetime.date(2026, 11, 30)
GOOD = "# Changelog\n\n## 0.2.0 (2026-11-30)\n\n- More.\n\n## 0.1.0 (2026-11-26)\n\n- First.\n"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (GOOD, []),
        (GOOD.replace("## 0.2.0", "## Unreleased\n\n## 0.2.0"), []),
        (
            GOOD.replace("## 0.2.0", "## Unreleased\n\n- New.\n\n## 0.2.0"),
            ["there are changes under '## Unreleased': move them under 0.2.0, or release another version"],
        ),
        (GOOD.replace("0.2.0 (2026-11-30)", "0.2.0 (unreleased)"), ["0.2.0 has no date but 'unreleased': python -m support.release --prepare"]),
        (GOOD.replace("0.2.0 (2026-11-30)", "0.2.0"), ["0.2.0 has no date but None: python -m support.release --prepare"]),
        (GOOD.replace("2026-11-30", "2026-12-01"), ["0.2.0 is of 2026-12-01, which is yet to come"]),
        (GOOD.replace("- More.\n", ""), ["0.2.0 has nothing under it"]),
        (GOOD.replace("0.2.0", "0.2.1"), ["the newest version is 0.2.1, and the code is 0.2.0: write what 0.2.0 brings"]),
        ("# Changelog\n", ["the newest version is none, and the code is 0.2.0: write what 0.2.0 brings"]),
    ],
)  # fmt: skip
def test_a_changelog_that_does_not_tell_of_the_version_is_refused(text, problems):
    """The newest heading is the version, with a date that has come and something under it."""
    assert changelog_problems(text, "0.2.0", TODAY) == problems


def test_the_newest_heading_is_the_version_of_the_code():
    """Dated or not: what is written there is what this version brings."""
    dated = re.sub(r"\(unreleased\)", f"({TODAY})", CHANGELOG.read_text("utf-8"))
    assert changelog_problems(dated, VERSION, datetime.date.max) == []


COMMITTED = {
    "pyproject.toml": b"[project]\n",
    "README.md": b"# Tracebridge\n",
    "LICENSE": b"Apache\n",
    "bridge/tracebridge/__init__.py": b"1\n",
    "bridge/tracebridge/native/core.c": b"int x;\n",
    "adapters/tracebridge_adapters/__init__.py": b"2\n",
    "config/tracebridge_config/__init__.py": b"3\n",
    "tests/unit/test_x.py": b"4\n",
}
RULES = {
    "packages": ["bridge/tracebridge", "adapters/tracebridge_adapters", "config/tracebridge_config"],
    "exclude": ["/bridge/tracebridge/native/*.[ch]"],
    "shared-data": {"README.md": "share/readme"},
}
WHEEL = {
    "tracebridge/__init__.py": b"1\n",
    "tracebridge_adapters/__init__.py": b"2\n",
    "tracebridge_config/__init__.py": b"3\n",
    f"tracebridge-{VERSION}.data/data/share/readme": b"# Tracebridge\n",
    "tracebridge-0.2.0.dist-info/METADATA": b"Name: tracebridge\n",
    "tracebridge-0.2.0.dist-info/licenses/LICENSE": b"Apache\n",
}
COMPILED = {"tracebridge/native/_core.cpython-311-x86_64-linux-gnu.so": b"\x7fELF"}


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({}, []),
        (COMPILED, []),
        ({"tracebridge/native/core.c": b"int x;\n"}, ["tracebridge/native/core.c is not committed"]),
        ({"tracebridge/passwords.py": b""}, ["tracebridge/passwords.py is not committed"]),
        ({"tests/unit/test_x.py": b"4\n"}, ["tests/unit/test_x.py is not committed"]),
        ({"tracebridge/stranger.so": b""}, ["tracebridge/stranger.so is not committed"]),
        ({"tracebridge/__init__.py": b"changed\n"}, ["tracebridge/__init__.py is not as committed"]),
        ({"tracebridge_config/__init__.py": None}, ["lacks tracebridge_config/__init__.py"]),
    ],
)
def test_a_wheel_holds_the_packages_as_committed_and_nothing_else(changed, problems):
    """A compiled module and the metadata are made; what the build leaves out or puts elsewhere, pyproject.toml says."""
    held = {path: data for path, data in {**WHEEL, **changed}.items() if data is not None}
    assert files.wheel_problems(held, COMMITTED, RULES) == problems


def test_an_sdist_holds_committed_files_only_and_all_of_the_packages():
    """Tests and pages may be left out, sources may not."""
    held = {path: data for path, data in COMMITTED.items() if path != "tests/unit/test_x.py"}
    assert files.sdist_problems({**held, "PKG-INFO": b""}, COMMITTED) == []
    del held["bridge/tracebridge/native/core.c"]
    assert files.sdist_problems({**held, "dist/notes.txt": b""}, COMMITTED) == [
        "lacks bridge/tracebridge/native/core.c",
        "dist/notes.txt is not committed",
    ]


@pytest.mark.parametrize(
    "path",
    ["tests/__pycache__/x.txt", "a/.pytest_cache/v", ".env", "x/.env.local", "k/server.pem", "a.pyc", "spans.db", "spans.db-wal", "run.log", ".netrc", "x/id_rsa"],
)  # fmt: skip
def test_what_no_release_should_hold_is_named_even_when_it_is_committed(path):
    """Caches, logs, databases, keys."""
    meant = {"tests/samples/0.1.0/spans.log": b"", "docs/logs.md": b"", "bridge/tracebridge/masking/known.py": b""}
    assert files.unwanted({path: b"", **meant}) == [f"{path} does not belong into a release"]


def test_a_private_key_is_found_wherever_it_stands():
    """By its form, not by the file's name; a page that only speaks of one is left alone."""
    key = b"-----BEGIN " + b"PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
    assert files.unwanted({"docs/keys.md": key, "docs/tls.md": b"-----BEGIN PRIVATE KEY-----\n...\n"}) == [
        "docs/keys.md holds a private key"
    ]


def test_wheels_and_sdists_are_read_as_what_they_hold(tmp_path: Path) -> None:
    """The sdist without the folder that it unpacks into."""
    with zipfile.ZipFile(tmp_path / "t.whl", "w") as wheel:
        wheel.writestr("tracebridge/__init__.py", "1\n")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as sdist:
        member = tarfile.TarInfo("tracebridge-0.2.0/bridge/x.py")
        member.size = 2
        sdist.addfile(member, io.BytesIO(b"2\n"))
    assert (files.read(tmp_path / "t.whl"), files.read(tmp_path / "t.tar.gz")) == (
        {"tracebridge/__init__.py": b"1\n"},
        {"bridge/x.py": b"2\n"},
    )


def test_two_builds_that_differ_are_refused(tmp_path: Path) -> None:
    """In a byte, or in which files there are."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, files_in in ((first, {"a.whl": b"1", "b.tar.gz": b"1"}), (second, {"a.whl": b"2"})):
        folder.mkdir()
        for name, data in files_in.items():
            (folder / name).write_bytes(data)
    with pytest.raises(step.FailedError) as failed:
        files.same_files(first, second)
    assert str(failed.value).splitlines() == [
        "only one of two builds has b.tar.gz",
        "two builds of one commit differ: a.whl",
    ]


def test_the_files_are_handed_over_with_sums_that_hold(tmp_path: Path) -> None:
    """`sha256sum --check` agrees; a folder with other files is refused, because everything in it would be uploaded."""
    made, output = tmp_path / "made", tmp_path / "dist"
    made.mkdir()
    (made / "a.whl").write_bytes(b"1")
    files.hand_over(made, output)
    subprocess.run(["sha256sum", "--check", "--strict", files.SUMS], check=True, capture_output=True, cwd=output)
    (output / "tracebridge-0.1.0.tar.gz").touch()
    with pytest.raises(step.FailedError, match=r"has other files: tracebridge-0\.1\.0\.tar\.gz; empty it"):
        files.hand_over(made, output)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(GPL-2.0-only OR BSD-3-Clause) AND MIT", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only WITH GCC-exception-3.1", False),
        ("License :: OSI Approved :: BSD License", False),
        ("Copyright Somebody 2019", False),
        ("", False),
    ],
)
def test_a_licence_counts_when_the_list_satisfies_it(expression, allowed):
    """One side of an OR, both sides of an AND; what is not SPDX is for a person to look at."""
    assert dependencies.is_allowed(expression) == allowed


def library(name: str, *licences: Any) -> dict[str, Any]:
    """A component as CycloneDX has it."""
    return {"name": name, "version": "1.0", "licenses": list(licences)}


def test_licences_are_listed_with_what_brings_them_and_strangers_refused(tmp_path: Path) -> None:
    """From the bills of materials: identifiers, expressions, old classifiers, and libraries whose metadata are silent."""
    apache = {"license": {"name": "License :: OSI Approved :: Apache Software License"}}
    plain = [library("tracebridge"), library("a", {"license": {"id": "MIT"}}), library("b", {"expression": "MIT OR Apache-2.0"})]  # fmt: skip
    extra = [*plain, library("c", apache), library("protobuf"), library("d", {"license": {"name": "AGPL"}}), library("e")]  # fmt: skip
    table = tmp_path / "licences.md"
    with pytest.raises(step.FailedError) as failed:
        dependencies.licences({"": {"components": plain}, "kafka": {"components": extra}}, table)
    assert str(failed.value).splitlines() == [
        "d 1.0: AGPL: not on the list of licences",
        "e 1.0: its metadata name no licence: not on the list of licences",
    ]
    assert table.read_text().splitlines()[2:] == [
        "| a | 1.0 | MIT | every installation |",
        "| b | 1.0 | MIT OR Apache-2.0 | every installation |",
        "| c | 1.0 | Apache-2.0 | `kafka` |",
        "| d | 1.0 | AGPL | `kafka` |",
        "| e | 1.0 |  | `kafka` |",
        "| protobuf | 1.0 | BSD-3-Clause | `kafka` |",
    ]


ASKED = {"name": "a", "version": "1.0", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}


def test_an_audit_tells_what_it_could_not_ask_about():
    """A vulnerability fails; a database that cannot be reached is told of, and fails nothing."""
    assert dependencies.told({"dependencies": [ASKED, SKIPPED]}) == (
        "1 libraries, no known vulnerability; 1 could not be asked about"
    )
    with pytest.raises(step.NotDoneError, match="could not be reached"):
        dependencies.told({"dependencies": [SKIPPED]})
    with pytest.raises(step.NotDoneError, match="could not be reached"):
        dependencies.told({})
    with pytest.raises(step.FailedError, match=r"^a 1\.0: CVE-2026-1$"):
        dependencies.told({"dependencies": [{**ASKED, "vulns": [{"id": "CVE-2026-1"}]}, SKIPPED]})


def test_every_extra_has_a_program_that_uses_it():
    """So that a new extra is tried, too."""
    assert sorted(program.PROGRAMS) == sorted(installing.extras())


def test_a_step_that_fails_stops_those_that_need_it_and_no_others(capsys):
    """What cannot be done here is told of, and fails nothing."""

    def fails() -> str:
        raise step.FailedError(["this", "that"])

    def cannot() -> str:
        raise step.NotDoneError("no network")

    steps = [release.Step("one", fails, False), release.Step("two", cannot, True), release.Step("three", fails, True), release.Step("four", str, False)]  # fmt: skip
    assert [(each["step"], each["outcome"], each["told"]) for each in release.run(steps)] == [
        ("one", "failed", "this\nthat"),
        ("two", "not done", "no network"),
        ("three", "failed", "this\nthat"),
    ]
    assert "== 2/4 two\n   not done in 0 s: no network\n" in capsys.readouterr().err


def test_the_command_says_how_it_is_used():
    """Examples and exit codes are in its help."""
    help_ = subprocess.run(
        [sys.executable, "-m", "support.release", "--help"], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )  # fmt: skip
    assert all(words in help_.stdout for words in ("--prepare", "examples:", "exit codes:", "Nothing is uploaded"))


def test_a_program_that_fails_is_told_of_with_its_last_lines(tmp_path: Path) -> None:
    """And with the command, so that it can be run by hand."""
    with pytest.raises(step.FailedError) as failed:
        step.run(sys.executable, "-c", "print('first'); raise SystemExit('last')", cwd=tmp_path)
    assert str(failed.value).splitlines()[1:] == ["  first", "  last"]
    assert json.loads(step.run(sys.executable, "-c", "print(1)", cwd=tmp_path)) == 1
