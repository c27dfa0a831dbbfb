"""From a file, a mapping or nothing at all to checked Settings.

Precedence: what is given > the file that TRACEBRIDGE_CONFIG names > the standard OpenTelemetry variables, which fill what
those leave out > the defaults.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tracebridge.errors import ConfigError
from tracebridge.registry import adapter_class, adapter_entries
from tracebridge.settings.document import Node, from_mapping, read_document
from tracebridge.settings.model import AdapterSettings, Settings
from tracebridge.settings.problems import Place, Problem, did_you_mean, fail
from tracebridge.settings.reader import BAD, OptionsReader

FILE_FORMAT = "1.0"
DEFAULT_STORE = "./tracebridge.db"
Source = str | os.PathLike[str] | Mapping[str, Any] | Settings | None

_log = logging.getLogger("tracebridge")


def load_settings(source: Source = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return checked Settings from a path, a mapping with the YAML file's keys, Settings, or (None) the environment.

    Raises ConfigError whose text is the whole report.
    """
    environ = os.environ if environ is None else environ
    if source is None and environ.get("TRACEBRIDGE_CONFIG"):
        source = environ["TRACEBRIDGE_CONFIG"]
    if isinstance(source, Settings):
        return _filled(source, environ)
    if source is None:
        return _filled(_default_settings(environ), environ)
    if isinstance(source, Mapping):
        try:
            node = from_mapping(source)
        except RecursionError:
            raise fail([Problem("too-large", "the mapping is nested too deeply")], "config") from None
        return _filled(_read(node, [], "config", [], environ), environ)
    path = os.fspath(source)
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        problem = Problem("unreadable-file", f"cannot be read: {error.strerror or error}; is the path right?")
        raise fail([problem], path) from error
    node, problems, lines = read_document(data, environ)
    return _filled(_read(node, problems, path, lines, environ), environ)


def _read(node: Node, problems: list[Problem], source: str, lines: list[str], environ: Mapping[str, str]) -> Settings:
    reader = OptionsReader(problems)
    adapters: Node | None = None
    if isinstance(node.value, dict):
        rest = {key: child for key, child in node.value.items() if key != "adapters"}
        adapters = node.value.get("adapters")
        node = Node(rest, node.place, node.key_places)
    settings = reader.options(Settings, node, "")
    chosen = _adapters(reader, adapters, node, environ)
    if settings is not BAD and settings.file_format != FILE_FORMAT:
        place = node.value["file_format"].place
        reader.problems.append(
            Problem(
                "wrong-value",
                f'file_format is "{settings.file_format}"; this version reads "{FILE_FORMAT}"',
                "file_format",
                place,
            )
        )
    if reader.problems or settings is BAD:
        raise fail(reader.problems, source, lines)
    checked: Settings = dataclasses.replace(settings, adapters=chosen)
    return checked


def _adapters(
    reader: OptionsReader, node: Node | None, whole: Node, environ: Mapping[str, str]
) -> dict[str, AdapterSettings]:
    if node is None or not isinstance(node.value, dict) or not node.value:
        place = whole.place if node is None else node.place
        reader.problems.append(
            Problem(
                "missing-key", "adapters must name at least one destination, such as `store: {}`", "adapters", place
            )
        )
        return {}
    chosen: dict[str, AdapterSettings] = {}
    for key, child in node.value.items():
        kind = key.partition("/")[0]
        place = node.key_places.get(key, Place())
        path = f"adapters.{key}"
        if kind not in adapter_entries():
            known = list(adapter_entries())
            hint = did_you_mean(kind, known) or ("" if known else "; known: none; is the package installed?")
            reader.problems.append(Problem("unknown-adapter", f'unknown adapter "{kind}"{hint}', path, place, known))
            continue
        try:
            options_class: Any = adapter_class(kind).Options
        except ConfigError as error:
            reader.problems.append(Problem("broken-adapter", str(error), path, place))
            continue
        options = reader.options(options_class, _with_environment(kind, child, options_class, environ), path)
        if options is not BAD:
            chosen[key] = AdapterSettings(name=key, type=kind, options=options)
    return chosen


def _with_environment(kind: str, node: Node, options: type[Any], environ: Mapping[str, str]) -> Node:
    """Fill what an OTLP adapter's options leave out from OTEL_EXPORTER_OTLP_*."""
    if not kind.startswith("otlp_") or not (node.value is None or isinstance(node.value, dict)):
        return node
    known = {f.name for f in dataclasses.fields(options)}
    given = dict(node.value or {})
    for name, reader in _OTLP_VARIABLES.items():
        text = environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name.upper()}") or environ.get(
            f"OTEL_EXPORTER_OTLP_{name.upper()}"
        )
        if text and name in known and name not in given:
            given[name] = Node(reader(text), node.place, substituted=True)
    return Node(given, node.place, node.key_places)


def _header_nodes(text: str) -> dict[str, Node]:
    pairs = [pair.partition("=") for pair in text.split(",") if "=" in pair]
    return {key.strip(): Node(unquote(value.strip()), Place(), substituted=True) for key, _, value in pairs}


_OTLP_VARIABLES: dict[str, Any] = {
    "endpoint": str,
    "headers": _header_nodes,
    "compression": str,
    "timeout": lambda text: f"{text}ms" if text.isdigit() else text,  # the specification's unit is milliseconds
}


def _default_settings(environ: Mapping[str, str]) -> Settings:
    """Return the embedded default: the store, or memory where its folder cannot be written."""
    path = environ.get("TRACEBRIDGE_STORE") or DEFAULT_STORE
    if path != ":memory:" and not _writable(Path(path).expanduser()):
        _log.warning(
            "%s cannot be written; traces are kept in memory only. Set TRACEBRIDGE_STORE to another path.", path
        )
        path = ":memory:"
    options: Any = adapter_class("store").Options
    return Settings(adapters={"store": AdapterSettings(name="store", type="store", options=options(path=path))})


def _writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK)


def _filled(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Fill the resource from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, and read OTEL_SDK_DISABLED."""
    attributes: dict[str, Any] = {}
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, equals, value = pair.partition("=")
        if equals and key.strip():
            attributes[key.strip()] = unquote(value.strip())
    if environ.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = environ["OTEL_SERVICE_NAME"]
    given = {key: value for key, value in settings.resource.attributes.items() if value is not None}
    merged = {**attributes, **given}
    resource = dataclasses.replace(settings.resource, attributes=merged)
    disabled = settings.disabled or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return dataclasses.replace(settings, resource=resource, disabled=disabled)
