"""Which formats are read and written, in which order, and how what they say goes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from tracebridge.ids.parent import RemoteParent
from tracebridge.propagation import b3, baggage, correlation, datadog, gcp, tracecontext, uber, xray
from tracebridge.propagation.carriers import Getter, Setter, getter_of, headers_in, setter_of
from tracebridge.propagation.formats import Format, Headers

FORMATS: Final[Mapping[str, Format]] = {
    each.name: each
    for each in (
        tracecontext.FORMAT,
        b3.SINGLE_FORMAT,
        b3.MULTI_FORMAT,
        uber.FORMAT,
        xray.FORMAT,
        datadog.FORMAT,
        gcp.FORMAT,
    )
}
"""The formats that carry IDs. `baggage` and `correlation` go with any of them."""
BAGGAGE, CORRELATION = "baggage", "correlation"


class Propagator:
    """Reads and writes the formats of one configuration. Keeps no state: safe from any thread."""

    def __init__(self, extract: Sequence[str], inject: Sequence[str], correlation_header: str) -> None:
        self._correlation = correlation_header.lower()
        read = [FORMATS[name] for name in extract if name in FORMATS]
        write = [FORMATS[name] for name in inject if name in FORMATS]
        self._reads = [each.read for each in read]
        self._writes = [each.write for each in write]
        self._reads_baggage, self._writes_baggage = BAGGAGE in extract, BAGGAGE in inject
        self._reads_correlation, self._writes_correlation = CORRELATION in extract, CORRELATION in inject
        self._ids_alone = not (self._reads_baggage or self._reads_correlation)
        extra = {BAGGAGE: (baggage.BAGGAGE,), CORRELATION: (self._correlation,)}
        self._wanted = frozenset(name for format_ in read for name in format_.fields).union(
            *(fields for name, fields in extra.items() if name in extract)
        )
        self._prefixes = tuple(each.prefix for each in read if each.prefix)
        self._owned = frozenset(name for format_ in write for name in format_.fields)

    def extract(self, carrier: Any, getter: Getter | None = None) -> RemoteParent | None:
        """Return what a carrier's headers say, None when that is nothing. What raises comes from the carrier itself.

        The first format in the list that names a parent span wins, and nothing of the others is used; where none does, the first that says
        anything. The `baggage` header and the correlation header go with any of them.
        """
        if carrier.__class__ is dict and getter is None:
            try:
                # With names as we spell them, a dict can be read as it is, in half the time; one name is tried without looking.
                if len(carrier) == 1 or "".join(carrier).islower():
                    found = self._read(carrier)
                    if found is not None or len(carrier) > 1:
                        return found
            except (TypeError, AttributeError):  # names or values that are no text
                pass
        return self._read(headers_in((getter or getter_of(carrier))(carrier), self._wanted, self._prefixes))

    def _read(self, headers: Headers) -> RemoteParent | None:
        found = None
        for read in self._reads:
            context = read(headers)
            if context is not None:
                if context.span_id is not None:
                    found = context
                    break
                found = found or context
        return found if self._ids_alone else self._with_company(found, headers)

    def _with_company(self, found: RemoteParent | None, headers: Headers) -> RemoteParent | None:
        """Add what goes with the IDs of any format: the correlation header and baggage."""
        if self._reads_correlation and (text := correlation.read(headers.get(self._correlation, ""))):
            found = msgspec.structs.replace(found or NOTHING, correlation_id=text)
        if self._reads_baggage and (text := headers.get(baggage.BAGGAGE, "")) and (text := baggage.read(text)):
            found = found or NOTHING
            merged = baggage.put(found.baggage, baggage.decode(text)) if found.baggage else text
            found = msgspec.structs.replace(found, baggage=merged)
        return found

    def inject(self, context: RemoteParent, carrier: Any, setter: Setter | None = None) -> None:
        """Write a context with both IDs into a carrier; raises TypeError for a carrier that cannot be written to."""
        plain = carrier.__class__ is dict and not carrier and setter is None
        headers: dict[str, str] = carrier if plain else {}
        for write in self._writes:
            write(context, headers)
        if self._writes_baggage and context.baggage:
            headers[baggage.BAGGAGE] = context.baggage
        if self._writes_correlation and correlation.sendable(context.correlation_id):
            headers[self._correlation] = context.correlation_id or ""
        if not plain:
            (setter or setter_of(carrier))(carrier, headers, self._owned)


NOTHING = RemoteParent(deferred=True)
