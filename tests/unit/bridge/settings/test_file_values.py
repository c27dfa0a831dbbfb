"""`${file:PATH}`: what a file holds, as orchestrators hand out secrets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from support.commands import CliRunner
from tracebridge import ConfigError
from tracebridge.cli import main
from tracebridge.settings.load import load_settings

SECRET = "f1le-s3cret"


def written(tmp_path: Path, header: str, held: bytes | None = f"{SECRET}\n".encode()) -> str:
    """A configuration whose header comes from the file `token`."""
    if held is not None:
        (tmp_path / "token").write_bytes(held)
    config = tmp_path / "bridge.yaml"
    config.write_text(f'adapters: {{zipkin: {{headers: {{authorization: "{header}"}}}}}}')
    return str(config)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_header_comes_from_a_file(tmp_path, caplog, end):
    """Without the line end that `echo` and editors leave, and without a word about it."""
    config = written(tmp_path, f"Bearer ${{file:{tmp_path}/token}}", f"{SECRET}{end}".encode())
    options: Any = load_settings(config, environ={}).adapters["zipkin"].options
    assert options.headers["authorization"].reveal() == f"Bearer {SECRET}"
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "cannot be read: it is empty"),
        (b" \n", "cannot be read: it is empty"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8"),
        (b"x" * 70_000, "cannot be read: it is larger than 65536 bytes"),
    ],
)
def test_a_file_that_cannot_be_the_value_is_told_with_its_path(tmp_path, held, said):
    """And with the key that asks for it; nothing of what it holds is."""
    config = written(tmp_path, f"${{file:{tmp_path}/token}}", held)
    with pytest.raises(ConfigError) as caught:
        load_settings(config, environ={})
    (problem,) = caught.value.problems
    assert problem.kind == "unreadable-file"
    assert f"adapters.zipkin.headers.authorization: the file {tmp_path}/token {said}" in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_a_folder_and_a_file_of_two_lines_are_refused(tmp_path):
    """A folder is no file, and a header has one line."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(written(tmp_path, f"${{file:{tmp_path}}}"), environ={})
    with pytest.raises(ConfigError, match="line end") as caught:
        load_settings(written(tmp_path, f"${{file:{tmp_path}/token}}", f"{SECRET}\nx: y\n".encode()), environ={})
    assert SECRET not in str(caught.value)


def test_what_a_file_holds_is_not_looked_at_again(tmp_path):
    """A token may hold `${` and `$$`."""
    config = written(tmp_path, f"${{file:{tmp_path}/token}}", b"a${HOME}$$b")
    options: Any = load_settings(config, environ={"HOME": "/root"}).adapters["zipkin"].options
    assert options.headers["authorization"].reveal() == "a${HOME}$$b"


def test_the_effective_configuration_tells_the_file_and_not_what_it_holds(tmp_path):
    """For people and for programs."""
    config = written(tmp_path, f"${{file:{tmp_path}/token}}")
    shown = CliRunner().invoke(main, ["validate", config, "--print-effective"]).stdout
    told = CliRunner().invoke(main, ["validate", config, "--print-effective", "--json"]).stdout
    assert f"{tmp_path}/token" in shown
    assert SECRET not in shown + told
    assert json.loads(told)


def test_settings_with_files_are_values(tmp_path):
    """Two readings of one file are equal, and a copy is, too."""
    config = written(tmp_path, f"${{file:{tmp_path}/token}}")
    first, second = load_settings(config, environ={}), load_settings(config, environ={})
    assert first == second == dataclasses.replace(first)
    assert SECRET not in repr(first)
