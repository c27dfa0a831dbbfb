"""The one door for adapters: entry points, ours and a stranger's alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tracebridge import ConfigError
from tracebridge.plugins.registry import ADAPTERS, SOURCES, adapter_class, entries, known_adapters, load
from tracebridge.settings.load import load_settings

MODULE = '''
"""Parcels: a destination that writes what it is sent into a folder."""

from dataclasses import dataclass
from pathlib import Path

from tracebridge.plugins.adapter import Sent
from tracebridge.plugins.options import DeliveryOptions, FilePath, Literal, option


@dataclass(frozen=True, kw_only=True)
class ParcelOptions(DeliveryOptions):
    """Options of the parcel adapter."""

    folder: FilePath = option(help="Where parcels are put.")
    paper: Literal["brown", "white"] = option("brown", help="What they are wrapped in.")


class ParcelAdapter:
    """Writes one file a batch."""

    Options = ParcelOptions
    max_batch_spans = 10
    max_batch_bytes = None

    def __init__(self, options, context):
        self._options = options
        self._sent = 0

    def encode(self, records):
        return "\\n".join(f"{r.name} {r.custom_trace_id}" for r in records).encode()

    def send(self, body, spans):
        self._sent += 1
        (Path(self._options.folder) / f"{self._sent}.{self._options.paper}").write_bytes(body)
        return Sent()

    def close(self):
        pass
'''.replace("DeliveryOptions, FilePath, Literal, option", "DeliveryOptions, FilePath, option").replace(
    "from pathlib import Path\n", "from pathlib import Path\nfrom typing import Literal\n"
)

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "parcel-adapter"
version = "1.0"
[project.entry-points."tracebridge.adapters"]
parcel = "parcel_adapter:ParcelAdapter"
broken = "parcel_adapter:Missing"
naked = "pathlib:Path"
"""

PROGRAM = """
import sys
from tracebridge import Client

assert "parcel_adapter" not in sys.modules
with Client(config="bridge.yaml") as client:
    root = client.start_trace("wrap", trace_id="order-7")
    client.end_trace(root.trace_id)
    assert client.flush(60)
print(client.stats().adapters["parcel"].exported)
"""

COMMAND = "from tracebridge.cli import main; main()"


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which somebody's package was built and installed."""
    pytest.importorskip("hatchling", reason="the package is built without a network, so its builder must be here")
    source = tmp_path_factory.mktemp("source")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "parcel_adapter.py").write_text(MODULE)
    target = tmp_path_factory.mktemp("target")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True, timeout=120)
    return target


def run(stranger: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python beside the stranger's package."""
    environ = {**os.environ, "PYTHONPATH": str(stranger)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_strangers_package_is_a_destination(stranger: Path, tmp_path: Path) -> None:
    """Built, installed and named in YAML, it gets the spans; nothing in tracebridge knows it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "bridge.yaml").write_text("adapters: {parcel: {folder: ./out, paper: white}}")
    done = run(stranger, tmp_path, "-c", PROGRAM)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert (tmp_path / "out" / "1.white").read_bytes() == b"wrap order-7"


def test_a_strangers_options_are_checked_like_ours(stranger: Path, tmp_path: Path) -> None:
    """Missing keys, misspelt keys and broken adapters are reported, and `adapters` describes it."""
    (tmp_path / "bridge.yaml").write_text(
        dedent("""\
            adapters:
              parcel: {papre: white}
              broken: {}
              naked: {}
              zipkin: {endpiont: x}
            """)
    )
    done = run(stranger, tmp_path, "-c", COMMAND, "validate", "bridge.yaml")
    assert done.returncode == 78
    for expected in (
        'adapters.parcel needs the key "folder": Where parcels are put. [missing-key]',
        'unknown key "papre" in adapters.parcel; did you mean "paper"? [unknown-key]',
        "= allowed: folder, paper, sending_queue, retry_on_failure",
        'adapter "broken" of parcel-adapter cannot be imported',
        'adapter "naked" (pathlib:Path) lacks an Options class',
        'did you mean "endpoint"?',
    ):
        assert expected in done.stderr
    listed = run(stranger, tmp_path, "-c", COMMAND, "adapters")
    assert "Parcels: a destination that writes" in " ".join(listed.stdout.split())
    described = run(stranger, tmp_path, "-c", COMMAND, "adapters", "parcel")
    assert "folder: path  (required)" in described.stdout
    assert "paper: brown | white  (default: brown)" in described.stdout


def test_only_what_a_file_names_is_imported(tmp_path: Path) -> None:
    """A file with `otlp_file` alone brings in no other adapter and no client library."""
    program = """
import sys
from tracebridge.settings.load import load_settings
load_settings({"adapters": {"otlp_file": {"path": "x"}}})
adapters = ("otlp_file", "otlp_http", "otlp_grpc", "zipkin", "store", "memory", "log", "console")
print([name for name in adapters if "tracebridge_adapters." + name in sys.modules])
print([name for name in ("urllib3", "grpc", "opentelemetry", "rich", "click", "sqlite3") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "['otlp_file']\n[]\n"


def test_importing_tracebridge_reads_no_packages_and_no_yaml() -> None:
    """The registry, PyYAML and difflib wait for a configuration."""
    program = (
        "import sys, tracebridge; print([n for n in ('yaml', 'difflib', 'importlib.metadata') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_a_bare_checkout_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an installed package no adapter is known, and the error says what to do."""
    with pytest.raises(ConfigError):
        load_settings({"adapters": {"nothing": {}}}, environ={})  # whatever it imports is imported now
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if "site-packages" not in folder])
    assert known_adapters() == []
    with pytest.raises(ConfigError, match=r"known: none; is the package installed\?"):
        adapter_class("zipkin")
    with pytest.raises(ConfigError, match=r"known: none; is the package installed\?"):
        load_settings({"adapters": {"zipkin": {}}}, environ={})


def test_a_misspelt_name_is_suggested() -> None:
    """Near misses name what was meant."""
    assert {"memory", "otlp_http", "store", "zipkin"} <= set(entries(ADAPTERS))
    with pytest.raises(ConfigError, match='unknown adapter "zipkn"; did you mean "zipkin"'):
        adapter_class("zipkn")


def test_what_a_module_lacks_is_said_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra that is not installed is named, and where that was noticed is nobody's business."""
    broken = tmp_path / "lacking.py"
    broken.write_text("from tracebridge import ConfigError\nraise ConfigError('it needs its client: pip install it')\n")
    package = tmp_path / "lacking-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: lacking\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[tracebridge.sources]\nlacking = lacking:Source\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError) as error:
        load(SOURCES, "lacking")
    assert str(error.value) == "it needs its client: pip install it"
