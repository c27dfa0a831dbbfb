"""ECS lines whose names with dots a shipper made objects of: `trace.id` is `{"trace": {"id": …}}` then.

Filebeat's `expand_keys`, Logstash's `de_dot` with `nested`, and Elastic's own logging libraries do that, the first and the last at every depth. Where only names
were nested, this brings the line back as it was written. A mapping among attributes cannot be told from names with dots, which are
the usual thing there, and is read as those; inputs and outputs are left as they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tracebridge_adapters.formats.spanlog.values import is_marked

NOTE: Final = "names with dots were nested on the way: mappings among attributes are read as such names, those in inputs and outputs stay nested"
_ABSENT: Final = object()
_NAMED: Final = ("labels", "spanlog.attributes", "spanlog.resource", "spanlog.tags")
_HOLDERS: Final = ("spanlog.events", "spanlog.links", "spanlog.scope")


def is_nested(given: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is an ECS line of ours in nested form."""
    own = given.get("spanlog")
    return isinstance(own, dict) and "schema" in own


def flattened(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the fields of these names, out of objects of one level. Raises ValueError when one stands twice."""
    out: dict[str, Any] = {}
    for name in names:
        first, dot, rest = name.partition(".")
        within = given.get(first) if dot else None
        inner = within.get(rest, _ABSENT) if isinstance(within, dict) else _ABSENT
        if inner is not _ABSENT and name in given:
            raise ValueError(f"{name} stands twice, nested and not")
        value = given.get(name, inner)
        if value is not _ABSENT:
            out[name] = value
    for name in out.keys() & set(_NAMED):
        out[name] = _dotted(out[name])
    for name in out.keys() & set(_HOLDERS):
        value = out[name]
        out[name] = [_of_holder(each) for each in value] if isinstance(value, list) else _of_holder(value)
    return out


def _of_holder(value: Any) -> Any:
    """Return an event, a link or a scope with its attributes flat."""
    if isinstance(value, dict) and "attributes" in value:
        return {**value, "attributes": _dotted(value["attributes"])}
    return value


def _dotted(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and item and not is_marked(item):
            inner = {f"{key}.{name}": held for name, held in _dotted(item).items()}
        else:
            inner = {key: item}
        if not out.keys().isdisjoint(inner):
            raise ValueError("a name among attributes stands twice, nested and not")
        out |= inner
    return out
