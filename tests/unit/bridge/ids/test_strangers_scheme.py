"""Schemes of other packages: found, used and judged like ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''
"""Order numbers: ORD- and up to twelve digits."""

from tracebridge.ids.scheme import Refused, Scheme


def order_bytes(text):
    if not text.startswith("ORD-") or not text[4:].isdecimal():
        raise Refused("it is not ORD- and digits")
    return int(text[4:]).to_bytes(16, "big")


ORDER = Scheme("an order number, ORD- and digits", order_bytes, lambda wire: f"ORD-{int.from_bytes(wire, 'big')}")
SHORT = Scheme("anything, badly", lambda text: b"too short")
FAILS = Scheme("anything, worse", lambda text: 1 / 0)
NONE = "no scheme"
'''
ENTRIES = """
[tracebridge.id_schemes]
order = orders:ORDER
short = orders:SHORT
fails = orders:FAILS
none = orders:NONE
missing = orders:MISSING
"""
PROGRAM = """
import sys
from tracebridge import Client, InvalidParameterError, TraceId

assert "orders" not in sys.modules
with Client(config={"trace_ids": {"scheme": "order"}, "adapters": {"memory": {}}}) as client:
    client.start_trace("pay", trace_id="ORD-42").end()
    assert client.flush(60)
    (record,) = client.adapter("memory").records
    print(record.trace_id.hex(), record.custom_trace_id, record.id_scheme)
    for text, scheme in (("ORD-x", "order"), ("7", "short"), ("7", "fails"), ("7", "none"), ("7", "missing")):
        try:
            TraceId(text, scheme)
        except InvalidParameterError as error:
            print(error)
"""


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A folder with somebody's package as an installer leaves it."""
    (tmp_path / "orders.py").write_text(MODULE)
    info = tmp_path / "orders-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: orders\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    return tmp_path


def run(stranger: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python beside the stranger's package."""
    environ = {**os.environ, "PYTHONPATH": str(stranger)}
    return subprocess.run(
        [sys.executable, *command], cwd=stranger, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_strangers_scheme_reads_ids_and_its_mistakes_are_errors(stranger):
    """Named in the settings it derives; what refuses, fails or is no scheme says so and breaks nothing."""
    done = run(stranger, "-c", PROGRAM)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{42:032x} ORD-42 order",
        "trace_id 'ORD-x' is not an ID of scheme order: it is not ORD- and digits; these schemes would take it: hash.",
        "trace_id '7': scheme short must return 16 bytes",
        "trace_id '7': scheme fails failed with ZeroDivisionError: division by zero",
        "trace_id '7': ID scheme \"none\" (orders:NONE) is not a tracebridge.ids.scheme.Scheme: "
        "make its entry point name an instance of that class",
        "trace_id '7': ID scheme \"missing\" of orders cannot be imported from orders:MISSING: AttributeError: module 'orders' "
        "has no attribute 'MISSING'",
    ]


def test_a_configuration_that_names_a_broken_scheme_is_reported(stranger):
    """`validate` says which package is broken, with the line."""
    (stranger / "bridge.yaml").write_text("trace_ids: {scheme: missing}\nadapters: {memory: {}}\n")
    done = run(stranger, "-c", "from tracebridge.cli import main; main()", "validate", "bridge.yaml")
    assert done.returncode == 78
    assert (
        'bridge.yaml:1:21: trace_ids.scheme must be an ID scheme that can be used: ID scheme "missing" of orders'
        in done.stderr
    )


def test_the_command_line_shows_a_strangers_scheme(stranger):
    """`tracebridge id` takes it and lists it among the schemes that would have matched."""
    done = run(stranger, "-c", "from tracebridge.cli import main; main()", "id", "ORD-42")
    assert f"as order      {42:032x}" in done.stdout.splitlines()
    done = run(stranger, "-c", "from tracebridge.cli import main; main()", "id", "ORD-42", "--scheme", "order")
    assert done.stdout.splitlines()[:3] == [
        "text          ORD-42", "scheme        order: an order number, ORD- and digits", "reverses      yes, to ORD-42",
    ]  # fmt: skip
