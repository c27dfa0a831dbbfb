"""What is installed, read from packages' own files, is what importlib.metadata says."""

from __future__ import annotations

import importlib.metadata
import sys
import zipfile
from pathlib import Path

import pytest

from tracebridge.plugins import installed

GROUP = "tracebridge.adapters"


def names(entries: list[installed.Entry]) -> set[tuple[str, str, str]]:
    """Entries as comparable values."""
    return {(entry.group, entry.name, entry.value) for entry in entries}


@pytest.mark.parametrize("group", ["console_scripts", "tracebridge.adapters", "tracebridge.id_schemes", "pytest11"])
def test_the_answer_is_importlibs(group: str) -> None:
    """For every package in this environment, whoever installed it."""
    expected = {(group, each.name, each.value) for each in importlib.metadata.entry_points(group=group)}
    assert names(installed.entries([group])) == expected
    assert expected


def package(folder: Path, name: str, value: str) -> None:
    """Install a package as far as its files say so."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"# a comment\n[{GROUP}]\nparcel = {value}\n\n[another]\nx = y:z\n")


def test_of_one_package_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with modules; the normal name of a package does not know underscores."""
    package(tmp_path / "first", "parcel_post", "first:A")
    package(tmp_path / "second", "parcel_post", "second:A")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), str(tmp_path / "gone"), ""])
    (entry,) = installed.entries([GROUP])
    assert (entry.name, entry.value, entry.package) == ("parcel", "first:A", "parcel-post")


def test_packages_in_an_archive_are_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By importlib.metadata, which is asked then."""
    package(tmp_path / "plain", "parcel", "parcel:A [extra]")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in (tmp_path / "plain").rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(tmp_path / "plain"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "all.zip"), *sys.path])
    assert ("tracebridge.adapters", "parcel", "parcel:A [extra]") in names(installed.entries([GROUP]))


def test_loading_gives_the_object_or_the_module() -> None:
    """`module`, `module:object`, `module:object.attribute`, with or without extras."""
    loaded = [
        installed.Entry("", "", value, "").load()
        for value in ("json", "json:dumps", "json:JSONDecoder.decode", "json:loads [x]")
    ]
    import json

    assert loaded == [json, json.dumps, json.JSONDecoder.decode, json.loads]
