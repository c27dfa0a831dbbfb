"""Which formats are read and written, in which order, and how what they say goes together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, Final

import msgspec

from tracebridge.propagation import baggage, correlation
from tracebridge.propagation.carriers import Getter, Setter, getter_of, headers_in, setter_of
from tracebridge.propagation.context import RemoteParent
from tracebridge.propagation.formats import Format, Headers

FORMATS: Final[Mapping[str, str]] = {
    "tracecontext": "tracecontext:FORMAT",
    "b3": "b3:SINGLE_FORMAT",
    "b3multi": "b3:MULTI_FORMAT",
    "uber": "uber:FORMAT",
    "xray": "xray:FORMAT",
    "datadog": "datadog:FORMAT",
    "gcp": "gcp:FORMAT",
}
"""The formats that carry IDs, each imported where a configuration names it. `baggage` and `correlation` go with any of them."""
BAGGAGE, CORRELATION = "baggage", "correlation"


class Propagator:
    """Reads and writes the formats of one configuration. Keeps no state: safe from any thread."""

    def __init__(self, extract: Sequence[str], inject: Sequence[str], correlation_header: str) -> None:
        self._correlation = correlation_header.lower()
        read = [format_named(name) for name in extract if name in FORMATS]
        write = [format_named(name) for name in inject if name in FORMATS]
        self._reads = [each.read for each in read]
        self._reads_baggage, self._writes_baggage = BAGGAGE in extract, BAGGAGE in inject
        self._reads_correlation, self._writes_correlation = CORRELATION in extract, CORRELATION in inject
        extra = {BAGGAGE: (baggage.BAGGAGE,), CORRELATION: (self._correlation,)}
        self._wanted = frozenset(name for format_ in read for name in format_.fields).union(
            *(fields for name, fields in extra.items() if name in extract)
        )
        self._prefixes = tuple(each.prefix for each in read if each.prefix)
        self._owned = frozenset(name for format_ in write for name in format_.fields)
        self.read: Callable[[Headers], RemoteParent | None] = self._read
        """Return what headers say, None when that is nothing. Raises TypeError or AttributeError for values that are no text."""
        if len(extract) == len(read) == 1:
            self.read = read[0].read  # one format and nothing beside it: there is nothing to choose
        self.writes = [each.write for each in write]
        """Each puts the headers of one format into a dict."""

    def extract(self, carrier: Any, getter: Getter | None = None) -> RemoteParent | None:
        """Return what the headers in any carrier say. What raises comes from the carrier itself."""
        return self.read(headers_in((getter or getter_of(carrier))(carrier), self._wanted, self._prefixes))

    def _read(self, headers: Headers) -> RemoteParent | None:
        """Return the context of the first format in the list that names a parent span, and use nothing of the others.

        Where none does, it is the first that says anything. The baggage header and the correlation header go with any of them.
        """
        found = None
        for read in self._reads:
            context = read(headers)
            if context is not None:
                if context.span_id is not None:
                    found = context
                    break
                found = found or context
        if self._reads_correlation and (text := correlation.read(headers.get(self._correlation, ""))):
            found = msgspec.structs.replace(found or NOTHING, correlation_id=text)
        if self._reads_baggage and (text := headers.get(baggage.BAGGAGE, "")) and (text := baggage.read(text)):
            found = found or NOTHING
            merged = baggage.put(found.baggage, baggage.decode(text)) if found.baggage else text
            found = msgspec.structs.replace(found, baggage=merged)
        return found

    def write_company(self, context: RemoteParent, headers: MutableMapping[str, str]) -> None:
        """Put what goes with the IDs of any format: the baggage header and the correlation header."""
        if self._writes_baggage and context.baggage:
            headers[baggage.BAGGAGE] = context.baggage
        if self._writes_correlation and correlation.sendable(context.correlation_id):
            headers[self._correlation] = context.correlation_id or ""

    def inject(self, context: RemoteParent, carrier: Any, setter: Setter | None = None) -> None:
        """Write a context with both IDs into any carrier; raises TypeError for one that cannot be written to."""
        headers: dict[str, str] = {}
        for write in self.writes:
            write(context, headers)
        self.write_company(context, headers)
        (setter or setter_of(carrier))(carrier, headers, self._owned)


def format_named(name: str) -> Format:
    """Return one of `FORMATS`."""
    module, _, constant = FORMATS[name].partition(":")
    found: Format = getattr(import_module(f"tracebridge.propagation.{module}"), constant)
    return found


NOTHING = RemoteParent(deferred=True)
