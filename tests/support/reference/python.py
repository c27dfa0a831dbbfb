"""docs/reference-python.md: what can be imported, with signatures and the words of the docstrings."""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import tracebridge
from support.reference.parts import Named, Part, Row, Table, fields, first_paragraph, paragraphs
from tracebridge.errors import TracebridgeError

HEAD = """# Reference: Python

Everything that a program may import. [The calls](calls.md) shows how they go together; [the errors](reference-errors.md) have a page of their own. All times are Unix nanoseconds,
unless a name says otherwise (`timeout_s`, `time_unix_s`); a `*` in a signature means that what follows is given by name.
"""
IN_FULL = ("Client", "Span", "TraceStack")
"""Classes of which each member has a signature and all its words; of the others a table tells."""
MODULES = {
    "tracebridge.middleware": ("TraceAsgi", "TraceWsgi"),
    "tracebridge.logs": ("TraceContextFilter", "add_trace_context"),
    "tracebridge.logs.events": ("CaptureLogs",),
    "tracebridge.propagation.carriers": ("Environment", "into_kafka"),
    "tracebridge.propagation.baggage": ("read", "decode", "put"),
    "tracebridge.testing": (
        "AdapterContract",
        "StageContract",
        "SteppingClock",
        "counting_ids",
        "memory_client",
        "records",
    ),
    "tracebridge.plugins.adapter": ("Adapter", "Context", "Sent"),
    "tracebridge.plugins.stage": ("Drop", "Hold", "StageContext", "StageOptions"),
    "tracebridge.plugins.options": ("DeliveryOptions", "Secret", "option"),
    "tracebridge.ids.scheme": ("Refused", "Scheme"),
}
"""What the pages import from elsewhere: for middleware, logs, tests and plug-ins."""
WIDEST = 88  # characters of a signature on one line


def parts() -> Iterator[Part]:
    """Yield the page."""
    yield HEAD
    yield "## Names of `tracebridge`\n"
    yield Table(
        ("name", "what it is"),
        [Row((name,), (_linked(name), first_paragraph(getattr(tracebridge, name)))) for name in tracebridge.__all__],
    )
    for name in IN_FULL:
        yield from _in_full(name)
    for name in tracebridge.__all__:
        if name not in IN_FULL and _has_section(name):
            yield from _value(name)
    for module, names in MODULES.items():
        yield f"## `{module}`\n"
        yield f"{first_paragraph(importlib.import_module(module))}\n"
        for name in names:
            thing = getattr(importlib.import_module(module), name)
            yield f"### `{name}`\n"
            yield from _signature(name, thing)
            yield from (f"{each}\n" for each in paragraphs(thing))


def _has_section(name: str) -> bool:
    kind = getattr(tracebridge, name)
    return name not in {"Config", "Settings", "FinishedSpan"} and not issubclass(kind, TracebridgeError)


def _linked(name: str) -> str:
    kind = getattr(tracebridge, name)
    if issubclass(kind, TracebridgeError):
        return f"[`{name}`](reference-errors.md#errors-that-calls-raise)"
    if name in {"Config", "Settings"}:
        return f"[`{name}`](reference-configuration.md)"
    return f"[`{name}`](#{'span' if name == 'FinishedSpan' else name.lower()})"


def _in_full(name: str) -> Iterator[Part]:
    kind = getattr(tracebridge, name)
    yield f"## `{name}`\n"
    if name == "Client":
        yield from _signature(name, kind)
    yield from (f"{each}\n" for each in paragraphs(kind))
    if name == "Span":
        yield "`start_trace`, `start_span` and their like make spans. `FinishedSpan` has the same members.\n"
    members = sorted(name for name in dir(kind) if not name.startswith("_"))
    properties = [each for each in members if not callable(getattr(kind, each))]
    if properties:
        rows = [
            Row((f"{name}.{each}",), (f"`{each}`", first_paragraph(inspect.getattr_static(kind, each))))
            for each in properties
        ]
        yield Table(("attribute", "what it is"), rows)
    for member in (each for each in members if each not in properties):
        yield f"### `{name}.{member}`\n"
        thing = inspect.getattr_static(kind, member)
        yield from _signature(member, thing)
        first, *more = paragraphs(thing)
        yield Named(f"{name}.{member}", first)
        yield from (f"{each}\n" for each in more)


def _value(name: str) -> Iterator[Part]:
    """Yield what is said of a class whose members are mostly data."""
    kind = getattr(tracebridge, name)
    yield f"## `{name}`\n"
    yield from (f"{each}\n" for each in paragraphs(kind))
    if issubclass(kind, enum.Enum):
        yield "Members: " + ", ".join(f"`{each.name}` ({each.value!r})" for each in kind) + ".\n"
        return
    rows = [(f"`{field}`", f"`{type_}`", words) for field, type_, words in fields(kind)]
    told = {row[0] for row in rows}
    for member in (each for each in vars(kind) if not each.startswith("_") and f"`{each}`" not in told):
        thing = inspect.getattr_static(kind, member)
        if inspect.isroutine(thing) or isinstance(thing, (property, classmethod, staticmethod)):
            said = first_paragraph(thing) if inspect.getdoc(thing) else ""
            rows.append((f"`{member}`" if isinstance(thing, property) else f"`{member}()`", _returned(thing), said))
    if rows:
        lines = "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)
        yield f"| member | type | what it is |\n|---|---|---|\n{lines}"


def _returned(thing: Any) -> str:
    function = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
    returned = getattr(function, "__annotations__", {}).get("return")
    return f"`{returned}`" if isinstance(returned, str) else ""


def _signature(name: str, thing: Any) -> Iterator[str]:
    """Yield a signature as a block; nothing for what takes no arguments of interest."""
    if not callable(thing) and not isinstance(thing, (classmethod, staticmethod)):
        return
    try:
        signature = inspect.signature(getattr(thing, "__func__", thing))
    except (TypeError, ValueError):
        return
    parameters = [each for key, each in signature.parameters.items() if key not in {"self", "cls"}]
    returned = signature.return_annotation
    arrow = "" if returned is signature.empty else f" -> {_type(returned)}"
    spelled = _spelled(parameters)
    line = f"{name}({', '.join(spelled)}){arrow}"
    if len(line) > WIDEST:
        line = f"{name}(\n" + "".join(f"    {each},\n" for each in spelled) + f"){arrow}"
    yield f"```python shown\n{line}\n```\n"


def _spelled(parameters: list[inspect.Parameter]) -> list[str]:
    """Return parameters as they are written, with the `*` and `/` between them."""
    out, by_name = [], False
    for i, each in enumerate(parameters):
        if each.kind is each.KEYWORD_ONLY and not by_name:
            by_name = True
            if not any(other.kind is other.VAR_POSITIONAL for other in parameters[:i]):
                out.append("*")
        stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        text = f"{stars}{each.name}"
        if each.annotation is not each.empty:
            text += f": {_type(each.annotation)}"
        if each.default is not each.empty:
            text += (
                f" = {_default(each.default)}" if each.annotation is not each.empty else f"={_default(each.default)}"
            )
        out.append(text)
        if each.kind is each.POSITIONAL_ONLY and (
            i + 1 == len(parameters) or parameters[i + 1].kind is not each.POSITIONAL_ONLY
        ):
            out.append("/")
    return out


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    """Return a default; what stands for "not given" as three dots."""
    return "..." if repr(value) == "<factory>" or " object at 0x" in repr(value) else repr(value)
