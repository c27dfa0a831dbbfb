"""`tracebridge id`: a trace ID, or a span ID, in every form, and which scheme made it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tracebridge.cli.shared.exits import EXIT_INCOMPLETE
from tracebridge.cli.shared.output import bars, echo, echo_json
from tracebridge.errors import TracebridgeError
from tracebridge.masking.printable import printable

if TYPE_CHECKING:
    from tracebridge.ids.forms import Explained
    from tracebridge.settings.model import Settings

TOLD_EVERY = 500  # lines between two steps of the bar
MAX_LINE = 65_536  # bytes that are read at once: no ID is as long, and input without line ends must not fill the memory
CONFIG_VARIABLE = "TRACEBRIDGE_CONFIG"
EPILOG = """Examples:

    tracebridge id user123_report_20260101_ab12cd34

    tracebridge id 5208512171318403364 --scheme datadog --config bridge.yaml

    tracebridge id 6917529027641081856 --span --scheme decimal

    psql -Atc 'select request_id from orders' | tracebridge id --as traceparent
"""


def _known_scheme(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Return the name of an installed scheme. Raises BadParameter with those that are known."""
    from tracebridge.errors import did_you_mean
    from tracebridge.plugins.registry import known_schemes

    known = known_schemes()
    if name is not None and name not in known:
        raise click.BadParameter(f'unknown scheme "{name}"{did_you_mean(name, known)} (known: {", ".join(known)})')
    return name


def _known_ratio(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Return a ratio. Raises BadParameter for what is none."""
    from tracebridge.settings.quantities import parse_ratio

    ratio = None if text is None else parse_ratio(text)
    if text is not None and (ratio is None or not 0 <= ratio <= 1):
        raise click.BadParameter(f"{text!r} is not a number from 0 to 1, or a percentage such as 10%")
    return ratio


def _known_form(context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Return the name of a form. Raises BadParameter with those that are known."""
    from tracebridge.errors import did_you_mean
    from tracebridge.ids.forms import FORM_NAMES, SPAN_FORM_NAMES

    names = SPAN_FORM_NAMES if context.params["span"] else FORM_NAMES
    if name is not None and name not in names:
        raise click.BadParameter(f'unknown form "{name}"{did_you_mean(name, names)} (known: {", ".join(names)})')
    return name


@click.command(epilog=EPILOG)
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("--span", is_flag=True, is_eager=True, help="TEXT is a span ID, of 8 bytes.")
@click.option(
    "--scheme",
    metavar="SCHEME",
    callback=_known_scheme,
    help="Read TEXT by this scheme; default: the configuration's, else auto.",
)
@click.option(
    "--config", metavar="FILE", help=f"YAML file, for its trace_ids and for links; default: ${CONFIG_VARIABLE}."
)
@click.option(
    "--as",
    "form",
    metavar="FORM",
    callback=_known_form,
    help="Print only this form, one line for each ID: hex, uuid, datadog, traceparent, …",
)
@click.option(
    "--ratio",
    metavar="RATIO",
    callback=_known_ratio,
    help="Also print what sampling at this ratio (0.1 or 10%) makes of a trace of that ID.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def command(
    context: click.Context,
    texts: Sequence[str],
    span: bool,
    scheme: str | None,
    config: str | None,
    form: str | None,
    ratio: float | None,
    as_json: bool,
) -> None:
    """Print the trace ID TEXT in every form: hex, decimal, UUID, X-Ray, Datadog, B3, uber, traceparent, MLflow and more; with --span
    the span ID TEXT.

    It says which scheme read TEXT and why, whether the bytes can be turned back into it, which other schemes would have
    taken it, and where each configured system shows the trace. Without TEXT (or with -) IDs are read from standard
    input, one a line, and printed as they come.

    Exits with 1 when an ID is refused, with 78 when the configuration is wrong.
    """
    if form is not None and as_json:
        raise click.UsageError("give --as or --json, not both")
    if not texts and sys.stdin.isatty():
        raise click.UsageError("give a TEXT, or IDs on standard input")
    from tracebridge.ids.custom import SpanId
    from tracebridge.ids.forms import explain, explain_span
    from tracebridge.ids.identity import Identity

    settings = _settings(config, scheme)
    ids = Identity(settings.trace_ids)
    links = _links(settings) if form is None and not span else {}  # systems show traces
    many = texts[1:] or _from_stdin(texts)
    printed = refused = 0
    for number, text in _given(texts):
        try:
            if not _is_utf8(text):
                raise click.ClickException(f"{text!a} is no UTF-8 text")
            explained = (
                explain_span(ids.span(SpanId(text, scheme) if scheme else text))
                if span
                else explain(text, ids.wire(text))
            )
            if form is not None and form not in explained.forms:
                raise click.ClickException(f"{explained.wire} cannot be written as {form}")
        except (TracebridgeError, click.ClickException) as error:
            refused += 1
            _complain(text, number if many else 0, str(error), as_json=as_json)
            continue
        drawn = None if ratio is None or span else _drawn(explained, text, ratio, settings)
        if form is not None:
            echo(printable(explained.forms[form]))
        elif as_json:
            sampled = {} if drawn is None else {"sampling": drawn}
            echo_json(_as_json(explained, links, "span_id" if span else "trace_id") | sampled)
        else:
            if printed:
                echo()
            _print(explained, links, drawn or {})
        printed += 1
    if refused:
        context.exit(EXIT_INCOMPLETE)


def _settings(config: str | None, scheme: str | None) -> Settings:
    """Return the settings of a file, or, where none is named, the defaults: an embedded store is not opened for this."""
    from dataclasses import replace

    from tracebridge.settings.load import load_settings
    from tracebridge.settings.model import Settings

    settings = load_settings(config) if config or os.environ.get(CONFIG_VARIABLE) else Settings()
    return settings if scheme is None else replace(settings, trace_ids=replace(settings.trace_ids, scheme=scheme))


def _links(settings: Settings) -> dict[str, Callable[[bytes], str | None]]:
    """Return what makes an address of a trace, for every destination that can."""
    from tracebridge.plugins.adapter import Context
    from tracebridge.plugins.registry import adapter_class
    from tracebridge.records.record import Resource

    links = {}
    for name, chosen in settings.adapters.items():
        kind: Any = adapter_class(chosen.type)
        if hasattr(kind, "link"):
            context = Context(name, Resource(dict(settings.resource.attributes)), settings.trace_ids.attribute)
            links[name] = kind(chosen.options, context).link
    return {name: link for name, link in links.items() if link(b"\1" * 16) is not None}


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes that the command line or standard input had, and UTF-8 has not
        return False
    return True


def _from_stdin(texts: Sequence[str]) -> bool:
    return texts in ((), ("-",))


def _given(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the IDs of the command line, or those of standard input, with their numbers; a bar on a terminal shows how far it is."""
    if not _from_stdin(texts):
        yield from enumerate(texts, 1)
        return
    from rich import progress

    columns = (progress.SpinnerColumn(), progress.TextColumn("{task.completed:,} IDs"), progress.TimeElapsedColumn())
    with bars(*columns, shown=not sys.stdout.isatty()) as bar:  # on a terminal the lines themselves show it
        task = bar.add_task("reading", total=None)
        for number, line in enumerate(iter(lambda: sys.stdin.buffer.readline(MAX_LINE), b""), 1):
            if number % TOLD_EVERY == 0:
                bar.update(task, completed=number)
            text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
            if text:
                yield number, text


def _complain(text: str, line: int, message: str, *, as_json: bool) -> None:
    where = f"line {line}: " if line else ""
    echo(f"{where}{printable(message)}", err=True)
    if as_json:
        echo_json({"text": text if _is_utf8(text) else ascii(text), "error": message})


def _as_json(explained: Explained, links: dict[str, Callable[[bytes], str | None]], key: str) -> dict[str, Any]:
    told = {key if name == "wire" else name: value for name, value in asdict(explained).items()}
    return told | {"links": {name: link(bytes.fromhex(explained.wire)) for name, link in links.items()}}


def _drawn(explained: Explained, text: str, ratio: float, settings: Settings) -> dict[str, Any]:
    """Return by what a trace of that ID is drawn, and what becomes of it."""
    from tracebridge.sampling.randomness import randomness_of
    from tracebridge.sampling.threshold import NEVER, randomness_text, text_of, threshold_of

    way = "auto" if settings.sampling is None else settings.sampling.randomness
    randomness, told = randomness_of(bytes.fromhex(explained.wire), explained.scheme, text, way)
    threshold = threshold_of(ratio)
    return {
        "randomness": randomness_text(randomness),
        "drawn_by": "the hash of the ID, told as rv" if told else "the ID's last 14 digits",
        "threshold": None if threshold == NEVER else text_of(threshold),
        "kept": randomness >= threshold,
    }


def _print(explained: Explained, links: dict[str, Callable[[bytes], str | None]], drawn: dict[str, Any]) -> None:
    rows = [("text", explained.text), ("scheme", ": ".join(filter(None, (explained.scheme, explained.why))))]
    rows.append(("reverses", f"yes, to {explained.back}" if explained.reversible else "no; spans keep the text"))
    rows += explained.forms.items()
    rows += [(f"as {name}", derived) for name, derived in explained.also.items()]
    rows += [(name, link(bytes.fromhex(explained.wire)) or "") for name, link in links.items()]
    if drawn:
        rows.append(("randomness", f"{drawn['randomness']} ({drawn['drawn_by']})"))
        rows.append(("threshold", drawn["threshold"] or "none: nothing is kept"))
        rows.append(("sampled", "kept" if drawn["kept"] else "left out"))
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        echo(f"{label:<{width}}  {printable(value)}")
