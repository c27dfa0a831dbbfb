"""Which formats are read and written, in which order, and how what they say goes together."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import msgspec

from tracebridge.errors import ConfigError
from tracebridge.plugins.registry import BAGGAGE, CORRELATION, HEADER_FORMATS, OWN_PACKAGE, entries, load
from tracebridge.propagation import baggage, correlation
from tracebridge.propagation.carriers import Getter, Setter, getter_of, headers_in, setter_of
from tracebridge.propagation.context import RemoteParent
from tracebridge.propagation.formats import HeaderFormat, Headers

COMPANY = {BAGGAGE, CORRELATION}  # headers that go with the IDs of any format
_log = logging.getLogger("tracebridge")


class Propagator:
    """Reads and writes the formats of one configuration. Keeps no state: safe from any thread."""

    def __init__(self, extract: Sequence[str], inject: Sequence[str], correlation_header: str) -> None:
        self._correlation = correlation_header.lower()
        read = [format_named(name) for name in extract if name not in COMPANY]
        write = [format_named(name) for name in inject if name not in COMPANY]
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
        """Return what headers say, None when they say nothing. Raises TypeError or AttributeError for values that are not text."""
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

    def write_companions(self, context: RemoteParent, headers: MutableMapping[str, str]) -> None:
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
        self.write_companions(context, headers)
        (setter or setter_of(carrier))(carrier, headers, self._owned)


def format_named(name: str) -> HeaderFormat:
    """Return an installed header format. Raises ConfigError for a name that is not known, and for what is not a HeaderFormat.

    One of another package is guarded: what it raises is counted as if the headers were not there, and logged once.
    """
    found = load(HEADER_FORMATS, name)
    if not isinstance(found, HeaderFormat):
        raise ConfigError(
            f'header format "{name}" is of the type {type(found).__name__}: '
            "make its entry point name a tracebridge.propagation.formats.HeaderFormat"
        )
    return found if entries(HEADER_FORMATS)[name].package == OWN_PACKAGE else _guarded(found)


def _guarded(format_: HeaderFormat) -> HeaderFormat:
    told: set[str] = set()

    def tell(error: Exception) -> None:
        kind = type(error).__name__
        if kind not in told:
            told.add(kind)
            _log.warning('header format "%s" failed (%s); the others go on', format_.name, kind)

    def read(headers: Headers) -> RemoteParent | None:
        try:
            found = format_.read(headers)
        except Exception as error:
            tell(error)
            return None
        if found is None or isinstance(found, RemoteParent):
            return found
        tell(TypeError())
        return None

    def write(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
        made: dict[str, str] = {}
        try:
            format_.write(context, made)
        except Exception as error:
            tell(error)
            return
        headers.update(made)

    return format_._replace(read=read, write=write)


NOTHING = RemoteParent(deferred=True)
