"""From a file, a mapping or nothing at all to checked Settings.

Precedence: what is given > the file that TRACEBRIDGE_CONFIG names > a tracking URI of MLflow's that is given > the one that MLFLOW_TRACKING_URI
names > the embedded store. The standard variables fill what these leave out. `import tracebridge` comes past here, so what only a file needs is imported with it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from tracebridge.errors import ConfigError
from tracebridge.settings.model import AdapterSettings, ReceiverSettings, Settings, StageSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tracebridge.settings.problems import Problem
    from tracebridge.settings.tree import Document, Node

CONFIG_VARIABLE: Final = "TRACEBRIDGE_CONFIG"
URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"
FILE_FORMAT = "1.0"
NAMED = ("adapters", "stages", "relay")  # keys that are not options of ours, but names of what is installed
DEFAULT_STORE = "./tracebridge.db"
YAML_SUFFIXES = (".yaml", ".yml")
NO_PATH = ("://", ": ", "\n")  # marks of addresses and of YAML, which are not shown: there may be secrets in them
MAPPING = "the configuration given in code"
Source = str | os.PathLike[str] | Mapping[str, Any] | Settings | None
IfUnwritable = Literal["memory", "refuse", "read"]
ChosenBy = Literal["config", "TRACEBRIDGE_CONFIG", "tracking_uri", "MLFLOW_TRACKING_URI", "store"]


@dataclass(slots=True, eq=False, repr=False)
class Loaded:
    """Settings, and the tree that they were read from: what `tracebridge validate --print-effective` explains."""

    settings: Settings
    tree: Node | None = None
    """Everything that was given, the environment's part included; None when nothing had to be read."""
    by: ChosenBy = "config"
    """What chose the destinations."""
    told: str = ""
    """The same for people: a file, an address, and what named it."""


def load_settings(
    source: Source = None, *, environ: Mapping[str, str] | None = None, if_unwritable: IfUnwritable = "memory"
) -> Settings:
    """Return checked Settings from a path, a mapping with the YAML file's keys, Settings, or (None) the environment.

    A mapping is read by the same rules as a file, except that `${…}` in it is ordinary text. `environ` is `os.environ` by
    default. No network is used. `if_unwritable` says what is done when nothing is configured and the embedded store cannot be written:
    a program's spans go to memory, a command that would write refuses, and one that reads does not mind.

    Raises ConfigError whose text is the whole report.
    """
    return load(source, environ=environ, if_unwritable=if_unwritable).settings


def load(
    source: Source = None,
    *,
    tracking_uri: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    if_unwritable: IfUnwritable = "memory",
) -> Loaded:
    """Do what `load_settings` does, and keep what chose the destinations and where each value came from.

    `tracking_uri` is MLflow's: the address of a server, where nothing else is configured; the path of a YAML file is taken as `source`.
    """
    environ = os.environ if environ is None else environ
    by: ChosenBy = "config"
    _require_kinds(source, tracking_uri)
    uri = os.fspath(tracking_uri or "").strip()
    if source is None and uri.endswith(YAML_SUFFIXES):
        source = uri
    if source is None and environ.get(CONFIG_VARIABLE):
        source, by = environ[CONFIG_VARIABLE], CONFIG_VARIABLE
    if source is None:
        return _unconfigured(uri, environ, if_unwritable)
    if isinstance(source, Settings):
        return Loaded(_filled(source, environ), told="Settings (config=)")
    if isinstance(source, Mapping):
        loaded, told = _from_mapping(source, environ), f"{MAPPING} (config=)"
    else:
        path = os.fspath(source)
        loaded = _from_file(path, f" ({CONFIG_VARIABLE} names it)" if by == CONFIG_VARIABLE else "", environ)
        told = f"{path} ({by if by == CONFIG_VARIABLE else 'config='})"
    return Loaded(_switched(loaded.settings, environ), loaded.tree, by, told)


def _require_kinds(source: object, tracking_uri: object) -> None:
    """Raise ConfigError for what is neither a configuration nor a tracking URI; the value is not shown, because there may be secrets in it."""
    if not isinstance(tracking_uri, (str, os.PathLike, type(None))):
        raise ConfigError(
            f"tracking_uri, the first argument, takes an address as text, not a value of type {type(tracking_uri).__name__}; a configuration is passed "
            "by its name: Client(config=…)"
        )
    if not isinstance(source, (str, os.PathLike, Mapping, Settings, type(None))):
        raise ConfigError(
            f"config= takes the path of a YAML file, a mapping with the same keys, or Settings, not a value of type {type(source).__name__}"
        )


def _unconfigured(uri: str, environ: Mapping[str, str], if_unwritable: IfUnwritable) -> Loaded:
    """Return the MLflow server that a tracking URI names, else the embedded default."""
    by: ChosenBy = "tracking_uri"
    if not uri:
        uri, by = environ.get(URI_VARIABLE, "").strip(), URI_VARIABLE
    if uri:
        from tracebridge.settings import mlflow

        if mlflow.is_server(uri):
            loaded = _from_mapping({"adapters": {"mlflow": {"endpoint": uri}}}, environ, by)
            return Loaded(_switched(loaded.settings, environ), loaded.tree, by, f"{mlflow.shown(uri)} ({by})")
        _warn(mlflow.unserved(uri, by))
    settings = _filled(_default_settings(environ, if_unwritable), environ)
    path: Any = settings.adapters["store"].options
    return Loaded(settings, by="store", told=f"the embedded store, {path.path} (nothing is configured)")


def _from_file(path: str, named: str, environ: Mapping[str, str]) -> Loaded:
    from tracebridge.settings.document import MAX_BYTES
    from tracebridge.settings.problems import Problem

    try:
        with open(os.path.expanduser(path), "rb") as file:  # noqa: PTH111, PTH123 - pathlib costs more than the reading
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        if any(mark in path for mark in NO_PATH):
            raise ConfigError(
                f"the path of a YAML file is wanted{named}, not an address and not YAML itself: give an address as Client(tracking_uri=…), and YAML by "
                "its file or as a mapping"
            ) from None
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem("unreadable-file", f"the file cannot be read: {reason}{named}")
        raise _failure([problem], path) from None
    return _from_text(data, path, environ)


def _from_text(data: bytes, path: str, environ: Mapping[str, str]) -> Loaded:
    from tracebridge.settings.document import read_document

    document = read_document(data, environ)
    if not document.complete:
        raise _failure(document.problems, path, document)
    loaded = _read(document.root, document.problems, path, document, environ)
    if any(chosen.files for chosen in loaded.settings.adapters.values()):
        loaded.settings = _rereadable(loaded.settings, data, path, dict(environ))
    return loaded


def _rereadable(settings: Settings, data: bytes, path: str, environ: dict[str, str]) -> Settings:
    """Let adapters whose options came from files be read again: from the same text and environment, and what the files hold then."""

    def reread() -> Settings:
        return _from_text(data, path, environ).settings

    adapters = {
        name: dataclasses.replace(chosen, reread=reread) if chosen.files else chosen
        for name, chosen in settings.adapters.items()
    }
    return dataclasses.replace(settings, adapters=adapters)


def _from_mapping(given: Mapping[str, Any], environ: Mapping[str, str], source: str = MAPPING) -> Loaded:
    from tracebridge.settings.mapping import from_mapping

    problems: list[Problem] = []
    return _read(from_mapping(given, problems), problems, source, None, environ)


def _read(
    node: Node, problems: list[Any], source: str, document: Document | None, environ: Mapping[str, str]
) -> Loaded:
    from tracebridge.settings.environment import with_propagators, with_resource
    from tracebridge.settings.plugins import adapters_of, receiver_of, stages_of
    from tracebridge.settings.reader import BAD, OptionsReader, keys_of
    from tracebridge.settings.tree import Node

    reader = OptionsReader(problems)
    settings: Any = BAD
    chosen: dict[str, AdapterSettings] = {}
    stages: tuple[StageSettings, ...] = ()
    relay: ReceiverSettings | None = None
    named: dict[str, Node] = {}
    destinations: dict[str, Node] = {}
    if node.value is None and not node.unset:
        node = Node({}, node.place)
    if isinstance(node.value, dict):
        node = with_propagators(with_resource(node, environ), environ)
        rest = {key: child for key, child in node.value.items() if key not in NAMED}
        named = {key: child for key, child in node.value.items() if key in NAMED}
        chosen = adapters_of(reader, node, environ, destinations)
        stages = stages_of(reader, node)
        relay = receiver_of(reader, node)
        node = Node(rest, node.place, node.key_places)
        for key in set(rest) - set(keys_of(Settings)):
            reader.unknown_key(key, rest.pop(key), "", node.key_places.get(key, node.place), _top_level())
    settings = reader.options(Settings, node, "")
    if settings is not BAD and settings.file_format != FILE_FORMAT:
        message = f'file_format must be "{FILE_FORMAT}": this version of tracebridge reads no other'
        reader.bad(node.value["file_format"], "file_format", "wrong-value", message, allowed=[f'"{FILE_FORMAT}"'])
    if problems or settings is BAD:
        raise _failure(problems, source, document)
    tree = Node({**node.value, **named, "adapters": Node(destinations)}, node.place, node.key_places)
    return Loaded(dataclasses.replace(settings, adapters=chosen, stages=stages, relay=relay), tree)


def _failure(problems: Sequence[Problem], source: str, document: Document | None = None) -> ConfigError:
    from tracebridge.settings.report import fail  # only a wrong file pays for it

    return fail(problems, source, document)


def _top_level() -> list[str]:
    from tracebridge.settings.reader import keys_of

    return [*keys_of(Settings), *NAMED]


def _default_settings(environ: Mapping[str, str], if_unwritable: IfUnwritable) -> Settings:
    """Return the embedded default: the store, or memory where its folder cannot be written."""
    from pathlib import Path

    from tracebridge.plugins.registry import adapter_class

    path = environ.get("TRACEBRIDGE_STORE") or DEFAULT_STORE
    if path != ":memory:" and if_unwritable != "read" and not _writable(Path(path).expanduser()):
        if if_unwritable == "refuse":
            raise ConfigError(
                f"{path} cannot be written; set TRACEBRIDGE_STORE to another path, or name a configuration"
            )
        _warn("%s cannot be written; traces are kept in memory only. Set TRACEBRIDGE_STORE to another path.", path)
        path = ":memory:"
    options: Any = adapter_class("store").Options
    return Settings(adapters={"store": AdapterSettings(name="store", type="store", options=options(path=path))})


def _warn(message: str, *values: object) -> None:
    from tracebridge.masking.loggers import logger  # only what is wrong pays for it

    logger("tracebridge").warning(message, *values)


def _writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK)


def _filled(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Fill the resource of Settings that were not read, but made in code, from the environment."""
    if environ.get("OTEL_SERVICE_NAME") or environ.get("OTEL_RESOURCE_ATTRIBUTES"):
        from tracebridge.settings.environment import resource_attributes

        given = {**resource_attributes(environ), **settings.resource.attributes}
        settings = dataclasses.replace(settings, resource=dataclasses.replace(settings.resource, attributes=given))
    return _switched(settings, environ)


def _switched(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Take OTEL_SDK_DISABLED, which an operator can set above any file."""
    off = settings.disabled or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return settings if off == settings.disabled else dataclasses.replace(settings, disabled=off)
