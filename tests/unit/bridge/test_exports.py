"""What `import tracebridge` gives, and what it does not pull in."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest

import tracebridge
from tracebridge.moved import MOVED
from tracebridge.spans.noop import NoopSpan

HEAVY = (
    "urllib3",
    "grpc",
    "opentelemetry",
    "structlog",
    "rich",
    "click",
    "sqlite3",
    "google.protobuf",
    "tracebridge_adapters",
)


def test_every_public_name_can_be_imported():
    """No name in __all__ leads nowhere."""
    for name in tracebridge.__all__:
        assert getattr(tracebridge, name).__name__ == name


def test_the_names_for_type_checkers_are_the_names_at_run_time():
    """The imports that editors see and the table that Python uses say the same."""
    text = Path(tracebridge.__file__).read_text()
    seen = {name: home for home, name in re.findall(r"from tracebridge\.([\w.]+) import (\w+) as", text)}
    assert seen == tracebridge._HOME_OF


def test_an_unknown_name_is_an_attribute_error():
    """A typing mistake looks like one."""
    assert not hasattr(tracebridge, "Clinet")


def loaded(code: str) -> set[str]:
    """The modules that a fresh process has after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_importing_the_client_pulls_in_nothing_heavy():
    """No HTTP client, gRPC, SDK, terminal library or adapter before it is used."""
    modules = loaded("import tracebridge; tracebridge.Client")
    assert [name for name in HEAVY if name in modules] == []


def test_a_client_imports_only_the_adapters_that_it_uses():
    """A store needs no HTTP client."""
    modules = loaded("import tracebridge; tracebridge.Client(config={'adapters': {'memory': {}}}).close()")
    assert "tracebridge_adapters.memory" in modules
    assert not {"urllib3", "grpc", "tracebridge_adapters.zipkin"} & modules


def test_a_configuration_given_in_code_needs_no_yaml():
    """A mapping becomes the same tree as a file, without the library that reads files."""
    modules = loaded("import tracebridge; tracebridge.Client(config={'adapters': {'memory': {}}}).close()")
    assert "yaml" not in modules


def test_sending_imports_nothing_that_reads(tmp_path):
    """An adapter imports what turns records into bytes; what turns them back is for other commands."""
    config = {
        "otlp_http": {"encoding": "json"},
        "otlp_file": {"path": str(tmp_path / "spans.jsonl")},
        "zipkin": {},
        "log": {"stream": "logger", "logger": "spans"},
    }
    modules = loaded(f"import tracebridge; tracebridge.Client(config={{'adapters': {config!r}}}).close()")
    formats = {name for name in modules if name.startswith("tracebridge_adapters.formats.")}
    assert formats
    assert [name for name in formats if name.endswith("reader")] == []


def test_checking_a_configuration_needs_no_records(tmp_path):
    """`tracebridge validate` takes the options of our adapters and no more."""
    path = tmp_path / "bridge.yaml"
    path.write_text(
        "adapters: {console: {}, log: {}, otlp_file: {}, otlp_http: {}, store: {}, zipkin: {}, zipkin_file: {}}"
    )
    modules = loaded(f"from tracebridge.settings.load import load_settings; load_settings({str(path)!r})")
    assert not {"msgspec", "tracebridge.records.record"} & modules


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_path_names_the_new_one(old, new):
    """A module that has moved says where it is, and is there."""
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(old)
    assert (str(caught.value), importlib.import_module(new).__name__) == (f"{old} has moved: import {new}", new)


def test_the_installed_distribution_has_nothing_at_top_level_but_the_three_packages(tmp_path):
    """The wheel holds exactly tracebridge, tracebridge_adapters and tracebridge_config; beside them go the manual page and completions, below share/."""
    root = Path(tracebridge.__file__).parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    import zipfile

    (wheel,) = tmp_path.glob("*.whl")
    names = [name.split("/") for name in zipfile.ZipFile(wheel).namelist()]
    assert {top for top, *_ in names if not top.endswith((".dist-info", ".data"))} == {
        "tracebridge",
        "tracebridge_adapters",
        "tracebridge_config",
    }
    assert {tuple(below[:2]) for top, *below in names if top.endswith(".data")} == {("data", "share")}
    assert files("tracebridge") is not None


CALLS = {
    "active_traces", "adapter", "close", "dead_letters", "decide_held", "delete_trace_tag", "delete_traces", "end_span", "end_trace", "extract", "flush",
    "get_active_trace", "get_trace", "ingest", "ingest_all", "inject", "progress", "search_traces", "set_trace_tag", "shared_span", "source", "span", "start_span", "start_trace",
    "stats", "trace", "traced",
}  # fmt: skip
MEMBERS = {
    "add_event", "add_link", "attributes", "cause", "custom_span_id", "description", "end", "end_time_ns", "events", "get_attribute", "inputs",
    "kind", "links", "llm_cost", "log_level", "model_name", "name", "outputs", "parent_id", "record_exception", "request_id", "set_attribute",
    "set_attributes", "set_description", "set_inputs", "set_log_level", "set_outputs", "set_span_type", "set_status", "span_id", "span_type",
    "start_time_ns", "status", "to_dict", "trace_id", "wire_trace_id",
}  # fmt: skip


def public(thing: object) -> set[str]:
    """What a thing shows."""
    return {name for name in dir(thing) if not name.startswith("_")}


def test_a_client_and_its_spans_show_what_is_documented_and_nothing_else(make_client):
    """What the machine needs is underscored; a span that does nothing has what a span has."""
    client = make_client()
    live = client.start_trace("r")
    assert (public(tracebridge.Client), public(client)) == (CALLS, CALLS)
    assert (public(tracebridge.Span), public(live), public(NoopSpan())) == (MEMBERS, MEMBERS, MEMBERS)
