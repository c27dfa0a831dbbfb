"""A span of a trace that is not recorded: it has its IDs, for whatever is called meanwhile, and takes nothing."""

from __future__ import annotations

from typing import Any

from tracebridge.spans.span import Span


class UnrecordedSpan(Span, eq=False, weakref=True):
    """A span whose trace was sampled out at its start. Every member of `Span` is there; what is set is not kept."""

    def _ignore(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""

    set_inputs = set_outputs = set_attribute = set_attributes = set_status = _ignore
    set_span_type = set_description = set_log_level = add_event = add_link = record_exception = _ignore

    def __repr__(self) -> str:
        return f"UnrecordedSpan(name={self._name!r}, trace_id={self.trace_id!r}, span_id={self._span_id!r})"
