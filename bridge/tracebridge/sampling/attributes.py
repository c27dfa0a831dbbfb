"""What a trace's decision is called in the attributes of others, for systems that read no tracestate."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tracebridge.journal.base import decode_record, encode_record
from tracebridge.records.record import Value
from tracebridge.sampling import member
from tracebridge.sampling.threshold import ratio_of

PRIORITY = "sampling.priority"
"""OpenTracing's: a Collector's sampler keeps a span that has a number above 0 here, whatever its threshold."""
JAEGER_TYPE, JAEGER_PARAM = "sampler.type", "sampler.param"
"""What Jaeger's own clients write on a root."""
DATADOG_RATE = "_dd.rule_psr"
"""The share that a rule kept, on a root; Datadog multiplies by its inverse."""


class Attributes:
    """Adds the attributes that `sampling.attributes` asks for."""

    def __init__(self, asked: Iterable[str]) -> None:
        self._asked = frozenset(asked)

    def put(self, data: bytes, *, kept: bool) -> bytes:
        """Return a record, encoded, that says how its trace was decided; `kept` is whether `sampling.keep` did."""
        record = decode_record(data)
        added: dict[str, Value] = {}
        if kept and "priority" in self._asked:
            added[PRIORITY] = 1
        threshold = member.read(record.trace_state).threshold
        if threshold is not None and (record.parent_id is None or record.parent_is_remote):
            ratio = ratio_of(threshold)
            if "jaeger" in self._asked:
                added |= {JAEGER_TYPE: "probabilistic", JAEGER_PARAM: ratio}
            if "datadog" in self._asked:
                added[DATADOG_RATE] = ratio
        if not added:
            return data
        return encode_record(msgspec.structs.replace(record, attributes={**record.attributes, **added}))
