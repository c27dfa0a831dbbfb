"""`tracebridge replay --verify`: what is signed is delivered, and nothing else; each line that is not is told and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.commands import CliRunner
from tracebridge import Client
from tracebridge.cli import main
from tracebridge.plugins.signing import KEYS_VARIABLE

OLD, NEW = "old-" * 10, "new-" * 10
KEYS = f"old={OLD} new={NEW}"


def lines(folder: Path, profile: str = "otel", sign: dict[str, str] | None = None, **log: Any) -> list[bytes]:
    """Three lines that an application wrote."""
    path = folder / "app.log"
    path.unlink(missing_ok=True)
    options = {"stream": "file", "path": str(path), "profile": profile, **log}
    with Client(config={"adapters": {"log": options | ({"sign": sign} if sign else {})}}) as client:
        for number in range(3):
            client.start_trace(f"t{number}", attributes={"amount": 20 + number, "text": "1.10"}).end()
    return path.read_bytes().splitlines()


def verified(
    folder: Path, given: list[bytes], monkeypatch: pytest.MonkeyPatch, keys: str = KEYS, *more: str
) -> tuple[int, int, int, int]:
    """Exit code, spans that would be delivered, lines without a signature, lines with a wrong one."""
    (folder / "shipped.log").write_bytes(b"\n".join(given) + b"\n")
    monkeypatch.setenv(KEYS_VARIABLE, keys)
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(folder / "store.db"))
    result = CliRunner().invoke(main, ["replay", str(folder / "shipped.log"), "--verify", "--dry-run", "--json", *more])
    told = json.loads(result.stdout)
    assert [key for key in (OLD, NEW) if key in result.stdout + result.stderr] == []
    assert result.stderr.count("damaged: ") == told["unsigned_lines"] + told["forged_lines"]
    return result.exit_code, told["delivered"], told["unsigned_lines"], told["forged_lines"]


@pytest.mark.parametrize("profile", ["otel", "ecs", "datadog", "gcp"])
def test_signed_lines_are_delivered_in_every_profile(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they were written, and as Docker and a shipper that makes everything text wrote them anew."""
    plain = lines(tmp_path, profile, {"id": "new", "key": NEW})
    docker = [
        json.dumps({"log": line.decode() + "\n", "stream": "stdout", "time": "2026-11-30T12:00:00.000000000Z"}).encode()
        for line in plain
    ]
    assert verified(tmp_path, plain, monkeypatch) == (0, 3, 0, 0)
    assert verified(tmp_path, docker, monkeypatch) == (0, 3, 0, 0)


def test_a_line_that_was_changed_is_not_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that was put together out of two."""
    first, second, third = lines(tmp_path, sign={"id": "new", "key": NEW})
    forged = [first.replace(b'"amount":20', b'"amount":2'), second.replace(b'"1.10"', b'"1.1"'), third]
    assert verified(tmp_path, forged, monkeypatch, KEYS, "--strict") == (1, 1, 0, 2)
    swapped = json.loads(first) | {"sign": json.loads(second)["sign"]}
    assert verified(tmp_path, [json.dumps(swapped).encode(), third], monkeypatch) == (0, 1, 0, 1)


def test_a_line_without_a_signature_is_counted_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, whichever formats could read it; so is what is no signature at all."""
    signed = lines(tmp_path, sign={"id": "new", "key": NEW})
    unsigned = lines(tmp_path)
    otlp = lines(tmp_path, "otlp_json")
    odd = [json.dumps(json.loads(signed[0]) | {"sign": sign}).encode() for sign in ("", "x", "new..", "new.1.2.3")]
    assert verified(tmp_path, [*signed, *unsigned, b"an application's line"], monkeypatch) == (0, 3, 3, 0)
    assert verified(tmp_path, [signed[0], *otlp], monkeypatch) == (0, 1, 3, 0)
    assert verified(tmp_path, [signed[1], *odd], monkeypatch) == (0, 1, 1, 3)


def test_an_old_key_is_accepted_until_it_is_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key's ID stands on the line."""
    both = lines(tmp_path, sign={"id": "old", "key": OLD}) + lines(tmp_path, sign={"id": "new", "key": NEW})
    assert verified(tmp_path, both, monkeypatch) == (0, 6, 0, 0)
    assert verified(tmp_path, both, monkeypatch, f"new={NEW}") == (0, 3, 0, 3)
    assert verified(tmp_path, both, monkeypatch, f"new={NEW} old={NEW}") == (0, 3, 0, 3)


def test_a_line_that_was_cut_to_size_is_signed_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no longer than it may be."""
    path = tmp_path / "app.log"
    log = {"stream": "file", "path": str(path), "max_line_bytes": 4096, "sign": {"id": "new", "key": NEW}}
    with Client(config={"adapters": {"log": log}}) as client:
        client.start_trace("t", attributes={f"a{n}": "1" * n for n in range(200)}).end()
    (line,) = path.read_bytes().splitlines(keepends=True)
    assert len(line) <= 4096
    assert verified(tmp_path, [line.rstrip()], monkeypatch) == (0, 1, 0, 0)


@pytest.mark.parametrize("keys", ["", "new", "new=short-k3y"])
def test_keys_that_cannot_be_used_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """Before anything is read, without the key."""
    (tmp_path / "app.log").write_bytes(b"")
    monkeypatch.setenv(KEYS_VARIABLE, keys)
    result = CliRunner().invoke(main, ["replay", str(tmp_path / "app.log"), "--verify", "--dry-run"])
    assert (result.exit_code, KEYS_VARIABLE in result.stderr, "short-k3y" in result.stderr) == (2, True, False)
