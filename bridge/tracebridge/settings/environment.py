"""The standard variables, OpenTelemetry's and MLflow's: they fill what the configuration leaves out.

As OpenTelemetry asks, a value that cannot be used is ignored with a warning that names the variable, never its value.

Specification: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from tracebridge.settings.problems import Problem
from tracebridge.settings.reader import BAD, OptionsReader, hints_of, keys_of
from tracebridge.settings.tree import Node

STORE_VARIABLE = "TRACEBRIDGE_STORE"
SERVICE_VARIABLE, RESOURCE_VARIABLE = "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"
PROPAGATORS_VARIABLE = "OTEL_PROPAGATORS"
TRACES_PATH = "/v1/traces"
PROPAGATORS: Mapping[str, str] = {
    "tracecontext": "tracecontext", "baggage": "baggage", "b3": "b3", "b3multi": "b3multi", "jaeger": "uber", "xray": "xray",
}  # fmt: skip
"""OpenTelemetry's names of header formats, and ours."""


def _warn(message: str, *values: object) -> None:

    from tracebridge.masking.loggers import logger  # only what is wrong pays for it

    logger("tracebridge").warning(message, *values)


def resource_attributes(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what OTEL_RESOURCE_ATTRIBUTES and, stronger, OTEL_SERVICE_NAME say.

    >>> resource_attributes({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,team=x%20y", "OTEL_SERVICE_NAME": "b"})
    {'service.name': 'b', 'team': 'x y'}
    """
    text = environ.get(RESOURCE_VARIABLE, "")
    pairs = _pairs(text)
    if pairs is None:
        _warn("%s is not key=value,key=value and is ignored as a whole", RESOURCE_VARIABLE)
        pairs = {}
    if environ.get(SERVICE_VARIABLE):
        pairs["service.name"] = environ[SERVICE_VARIABLE]
    if not pairs.get("service.name"):
        pairs.pop("service.name", None)  # an empty name is none
    return pairs


def with_resource(tree: Node, environ: Mapping[str, str]) -> Node:
    """Return the whole configuration's tree with the resource attributes that it leaves out and the environment gives."""
    found = resource_attributes(environ)
    resource = tree.value.get("resource") or Node({})
    attributes = (
        Node({})
        if resource.value is None
        else resource.value.get("attributes") or Node({})
        if isinstance(resource.value, dict)
        else None
    )
    if not found or attributes is None or not (attributes.value is None or isinstance(attributes.value, dict)):
        return tree  # nothing to add, or a mistake that the reader reports
    given = dict(attributes.value or {})
    for key, value in found.items():
        variable = SERVICE_VARIABLE if key == "service.name" and environ.get(SERVICE_VARIABLE) else RESOURCE_VARIABLE
        given.setdefault(key, _node(value, variable))
    inner = {**(resource.value or {}), "attributes": Node(given, attributes.place, attributes.key_places)}
    whole = {**tree.value, "resource": Node(inner, resource.place, resource.key_places)}
    return Node(whole, tree.place, tree.key_places)


def with_propagators(tree: Node, environ: Mapping[str, str]) -> Node:
    """Return the whole configuration's tree with the header formats that OTEL_PROPAGATORS names, both ways, where it leaves them out."""
    named = dict.fromkeys(name for each in environ.get(PROPAGATORS_VARIABLE, "").split(",") if (name := each.strip()))
    known = [PROPAGATORS[name] for name in named if name in PROPAGATORS]
    if len(known) + ("none" in named) < len(named):
        _warn(
            "%s names a propagator that is not one of %s, none; it is left out",
            PROPAGATORS_VARIABLE,
            ", ".join(PROPAGATORS),
        )
    propagation = tree.value.get("propagation") or Node({})
    if not (known or "none" in named) or not (propagation.value is None or isinstance(propagation.value, dict)):
        return tree  # nothing to add, or a mistake that the reader reports
    given = dict(propagation.value or {})
    for key in ("extract", "inject"):
        given.setdefault(key, _node([] if "none" in named else known, PROPAGATORS_VARIABLE))
    whole = {**tree.value, "propagation": Node(given, propagation.place, propagation.key_places)}
    return Node(whole, tree.place, tree.key_places)


def filled(kind: str, options: type[Any], node: Node, environ: Mapping[str, str]) -> Node:
    """Return an adapter's node with what its file leaves out and the environment gives."""
    if node.value is not None and not isinstance(node.value, dict):
        return node
    values: Mapping[str, tuple[str, Any]] = {}
    if kind == "store":
        values = _for_store(environ)
    elif kind == "mlflow":
        from tracebridge.settings.mlflow import options_from  # only who sends to MLflow pays for it

        values = options_from(environ, given=set(node.value or ()))
    elif kind.startswith("otlp_"):
        values = _for_otlp(kind, environ)
    if not values:
        return node
    return _merged(options, node, values)


def _merged(options: type[Any], node: Node, values: Mapping[str, tuple[str, Any]]) -> Node:
    """Add values by dotted key where the class has that key, the node does not, and the value can be read."""
    given: dict[str, Node] = dict(node.value or {})
    hints, keys = hints_of(options), keys_of(options)
    for dotted, (variable, value) in values.items():
        key, _, inner = dotted.partition(".")
        if key not in keys:
            continue
        if inner:
            child = given.get(key, Node({}, node.place))
            if dataclasses.is_dataclass(hints[key]) and (child.value is None or isinstance(child.value, dict)):
                given[key] = _merged(hints[key], child, {inner: (variable, value)})
            continue
        if key in given:
            continue
        problems: list[Problem] = []
        made = _node(value, variable)
        if OptionsReader(problems).value(hints[key], made, key, keys[key].metadata) is BAD:
            _warn("%s cannot be used and is ignored: %s", variable, problems[0].message)
            continue
        given[key] = made
    return Node(given, node.place, node.key_places)


def _node(value: Any, variable: str) -> Node:
    if isinstance(value, dict):
        return Node({key: _node(item, variable) for key, item in value.items()})
    if isinstance(value, list):
        return Node([_node(item, variable) for item in value], variables=(variable,))
    return Node(value, substituted=True, variables=(variable,))


def _for_store(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    path = environ.get(STORE_VARIABLE)
    return {"path": (STORE_VARIABLE, path)} if path else {}


def _for_otlp(kind: str, environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Return option keys with the variable that fills each; the one for traces is stronger than the general one."""
    out: dict[str, tuple[str, Any]] = {}
    for suffix, (key, convert) in _OTLP.items():
        for variable in (f"OTEL_EXPORTER_OTLP_TRACES_{suffix}", f"OTEL_EXPORTER_OTLP_{suffix}"):
            text = environ.get(variable, "").strip()
            if text:
                value = convert(text)
                if value is None:
                    _warn("%s is not of the form that OpenTelemetry gives it and is ignored", variable)
                else:
                    out[key] = (variable, value)
                break
    general = "endpoint" in out and out["endpoint"][0] == "OTEL_EXPORTER_OTLP_ENDPOINT"
    if kind == "otlp_http" and general:
        variable, address = out["endpoint"]
        out["endpoint"] = (variable, _with_traces_path(address))
    return out


def _with_traces_path(address: str) -> str:
    """Return the address for traces under a base address (OTLP exporter specification, endpoint URLs for OTLP/HTTP)."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + TRACES_PATH))


def _pairs(text: str) -> dict[str, str] | None:
    """Return `key=value,key=value` with percent-encoded values, or None when it is not of that form."""
    out = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not part.strip():
            continue
        if not equals or not key.strip():
            return None
        out[unquote(key.strip())] = unquote(value.strip())
    return out


_OTLP: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "ENDPOINT": ("endpoint", str),
    "HEADERS": ("headers", _pairs),
    "COMPRESSION": ("compression", str.lower),
    "TIMEOUT": ("timeout", lambda text: f"{text}ms" if text.isdigit() else text),  # milliseconds
    "PROTOCOL": ("encoding", {"http/protobuf": "protobuf", "http/json": "json"}.get),
    "CERTIFICATE": ("tls.ca_file", str),
    "CLIENT_CERTIFICATE": ("tls.cert_file", str),
    "CLIENT_KEY": ("tls.key_file", str),
}
