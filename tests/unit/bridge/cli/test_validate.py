"""`tracebridge validate` and `tracebridge adapters`: data on stdout, words on stderr, meaningful exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import CliRunner
from tracebridge.cli import main
from tracebridge.settings.missing import is_there

GOOD = "adapters: {memory: {}, zipkin/eu: {}}\n"
BAD = "adapters: {zipkin: {headers: {authorization: c4n4ry}, endpiont: x}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a configuration."""
    return tmp_path / "bridge.yaml"


def test_a_right_file(file: Path) -> None:
    """One line, exit 0."""
    file.write_text(GOOD)
    result = CliRunner().invoke(main, ["validate", str(file)])
    assert (0, f"{file}: no problems; 2 destinations: memory, zipkin/eu\n") == (result.exit_code, result.stdout)


def test_a_wrong_file(file: Path) -> None:
    """The report on stderr, nothing on stdout, exit 78, no secret."""
    file.write_text(BAD)
    result = CliRunner().invoke(main, ["validate", str(file)])
    assert (result.exit_code, result.stdout) == (78, "")
    assert 'did you mean "endpoint"? [unknown-key]' in result.stderr
    assert "c4n4ry" not in result.stdout + result.stderr


def test_json(file: Path) -> None:
    """One object, with the same exit codes."""
    file.write_text(GOOD)
    result = CliRunner().invoke(main, ["validate", "--json", str(file)])
    expected = {"file": str(file), "valid": True, "adapters": ["memory", "zipkin/eu"], "warnings": []}
    assert expected == json.loads(result.stdout)
    file.write_text(BAD)
    result = CliRunner().invoke(main, ["validate", "--json", str(file)])
    assert (result.exit_code, result.stderr) == (78, "")
    (problem,) = json.loads(result.stdout)["problems"]
    assert (
        problem["kind"],
        problem["line"],
        problem["column"],
        problem["length"],
        problem["suggestion"],
    ) == ("unknown-key", 1, 55, 8, "endpoint")
    assert "c4n4ry" not in result.stdout


def test_a_missing_file_is_a_wrong_configuration(file: Path) -> None:
    """No traceback: the path, the reason, exit 78."""
    result = CliRunner().invoke(main, ["validate", str(file)])
    assert result.exit_code == 78
    assert "[unreadable-file]" in result.stderr


def test_the_effective_configuration(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value with its source on stdout, as YAML; words on stderr."""
    file.write_text("adapters:\n  zipkin: {headers: {authorization: c4n4ry}, timeout: '${T}'}\n")
    monkeypatch.setenv("T", "3s")
    result = CliRunner().invoke(main, ["validate", str(file), "--print-effective"])
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"timeout: 3s # {file}:2, $T" in shown
    assert f'authorization: "***" # {file}:2' in shown
    assert "compression: gzip # default" in shown
    assert (result.exit_code, result.stderr) == (0, f"{file}: no problems; 1 destination: zipkin\n")
    assert "c4n4ry" not in result.stdout + result.stderr


def test_the_effective_configuration_as_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for programs; an operator's switch is told too."""
    file.write_text("adapters: {memory: {}}\n")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    result = CliRunner().invoke(main, ["validate", str(file), "--print-effective", "--json"])
    outcome = json.loads(result.stdout)
    assert (outcome["valid"], outcome["disabled"]) == (True, True)
    assert outcome["effective"][0] == {
        "path": ["file_format"],
        "value": "1.0",
        "source": {"kind": "default", "line": None, "variables": [], "files": []},
    }
    assert "switched off" in CliRunner().invoke(main, ["validate", str(file), "--print-effective"]).stdout


def test_github_annotations(file: Path) -> None:
    """One workflow command a problem, escaped as GitHub asks, on stdout; nothing when all is well."""
    file.write_text("adapters: {memory: {}, 'a%,: b': {}}\nlimts: {}\n")
    result = CliRunner().invoke(main, ["validate", "--github", str(file)])
    lines = sorted(result.stdout.splitlines())
    assert result.exit_code == 78
    assert lines[1] == (
        f"::error file={file},line=2,col=1,endColumn=6,title=tracebridge [unknown-key]::"
        'unknown key "limts"; did you mean "limits"?'
    )
    assert lines[0].startswith(f"::error file={file},line=1,col=24,endColumn=32,title=tracebridge [unknown-adapter]::")
    file.write_text(GOOD)
    assert CliRunner().invoke(main, ["validate", "--github", str(file)]).exit_code == 0


def test_without_a_file_the_environment_names_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRACEBRIDGE_CONFIG, as for the client; neither is wrong usage, and so are two forms of output."""
    file.write_text(GOOD)
    assert CliRunner().invoke(main, ["validate"]).exit_code == 2
    assert CliRunner().invoke(main, ["validate", str(file), "--json", "--github"]).exit_code == 2
    monkeypatch.setenv("TRACEBRIDGE_CONFIG", str(file))
    assert CliRunner().invoke(main, ["validate"]).stdout.startswith(f"{file}: no problems")


STRANGER = """
from tracebridge.plugins.adapter import Needs
from tracebridge.plugins.options import DeliveryOptions

class Parcel:
    Options = DeliveryOptions
    needs = Needs(("json", "parcel_client.wire"), "parcel[wire]")
    encode = send = close = lambda self, *arguments: None
"""
EXPORTER = "adapters:\n  otel_exporter:\n    class: '%s'\n"


def warned(file: Path) -> list[tuple[str, str]]:
    """The kinds and messages of what is warned of."""
    result = CliRunner().invoke(main, ["validate", str(file), "--json"])
    return [(warning["kind"], warning["message"]) for warning in json.loads(result.stdout)["warnings"]]


def test_packages_that_a_destination_needs_and_that_are_missing_are_warnings(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, with what to do; the file is right all the same."""
    (tmp_path / "parcel_adapter.py").write_text(STRANGER)
    (tmp_path / "parcel-1.0.dist-info").mkdir()
    (tmp_path / "parcel-1.0.dist-info" / "METADATA").write_text("Name: parcel\nVersion: 1.0\n")
    points = "[tracebridge.adapters]\nparcel = parcel_adapter:Parcel\n"
    (tmp_path / "parcel-1.0.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    file.write_text("adapters:\n  parcel/x: {}\n")
    result = CliRunner().invoke(main, ["validate", str(file)])
    message = "the parcel adapter needs what is not installed here: pip install 'parcel[wire]'"
    assert result.exit_code == 0
    assert result.stdout == f"{file}: no problems; 1 destination: parcel/x\n"
    assert result.stderr == f"{file}:2:13: {message} [not-installed]\n\n1 warning in {file}\n"
    (tmp_path / "parcel_client").mkdir()
    assert warned(file) == [("not-installed", message)]
    (tmp_path / "parcel_client" / "wire.py").touch()
    assert warned(file) == []


def test_a_class_that_cannot_be_found_is_a_warning_and_nothing_is_imported(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's own module is only looked for, in the working folder too; what the environment says is not repeated."""
    file.write_text(EXPORTER % "vendor.tracing:Exporter")
    lacking = "adapters.otel_exporter.class: module {} is not installed here; install the package that has it"
    assert warned(file) == [("not-installed", lacking.format("vendor.tracing"))]
    result = CliRunner().invoke(main, ["validate", str(file), "--github"])
    where = f"file={file},line=3,col=12,endColumn=37,title=tracebridge [not-installed]"
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == f"::warning {where}::{lacking.format('vendor.tracing')}"
    file.write_text(EXPORTER % "${EXPORTER}")
    monkeypatch.setenv("EXPORTER", "c4n4ry.tracing:Exporter")
    assert warned(file) == [("not-installed", lacking.format("that"))]
    monkeypatch.chdir(tmp_path)
    Path("vendor.py").write_text("raise SystemExit('imported')")
    file.write_text(EXPORTER % "vendor:Exporter")
    assert warned(file) == []


@pytest.mark.parametrize(
    ("module", "there"),
    [
        ("opentelemetry.sdk.trace.export", True),
        ("opentelemetry.exporter.otlp.proto.http.trace_exporter", True),  # below packages without an __init__
        ("opentelemetry.exporter.no_such_vendor", False),
        ("os.path", True),
        ("json.decoder", True),
        ("json.decoder.below", False),
        ("__main__", True),
        ("no_such_package.at.all", False),
    ],
)
def test_a_module_is_looked_for_without_importing_what_is_above_it(module: str, there: bool) -> None:
    """Packages with and without an __init__, modules, and what is imported already."""
    assert is_there(module) is there


def test_adapters_as_json() -> None:
    """Names with summaries, and options with types, defaults and help."""
    listed = json.loads(CliRunner().invoke(main, ["adapters", "--json"]).stdout)
    assert {"memory", "zipkin", "otlp_http", "store"} <= {row["name"] for row in listed}
    described = json.loads(CliRunner().invoke(main, ["adapters", "zipkin", "--json"]).stdout)
    (timeout,) = [option for option in described["options"] if option["key"] == "timeout"]
    assert (timeout["type"], timeout["default"], timeout["required"]) == ("duration", "10s", False)
    assert timeout["help"]


def test_a_nested_default_that_an_adapter_changes_is_shown() -> None:
    """The store flushes sooner than others, and its description says so."""
    described = json.loads(CliRunner().invoke(main, ["adapters", "store", "--json"]).stdout)
    assert "200ms" in [o["default"] for o in described["options"] if o["key"] == "sending_queue.flush_interval"]


def test_an_unknown_adapter() -> None:
    """Exit 78 with what was probably meant."""
    result = CliRunner().invoke(main, ["adapters", "zipkn"])
    assert result.exit_code == 78
    assert 'did you mean "zipkin"?' in result.stderr


@pytest.mark.parametrize("name", ["validate", "adapters", "show", "search"])
def test_every_help_has_an_example(name: str) -> None:
    """`--help` shows the command in use."""
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"  tracebridge {name}" in result.stdout
    assert "Example" in result.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    """click's own exit code for a wrong command line."""
    assert CliRunner().invoke(main, ["validat"]).exit_code == 2


def test_a_missing_package_of_an_engine_is_a_warning(tmp_path, monkeypatch):
    """As of an adapter: no network, and no error."""
    monkeypatch.setattr("tracebridge.settings.missing.is_there", lambda module: module != "redis")
    path = tmp_path / "shared.yaml"
    path.write_text("adapters: {memory: {}}\nopen_spans: {engine: redis, url: 'redis://localhost:1'}\n")
    result = CliRunner().invoke(main, ["validate", str(path), "--json"])
    warnings = json.loads(result.stdout)["warnings"]
    assert [each["message"] for each in warnings] == [
        "the engine redis needs what is not installed here: pip install 'tracebridge[redis]'"
    ]
