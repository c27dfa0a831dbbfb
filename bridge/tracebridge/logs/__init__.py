"""The current span's IDs on other log lines, and log lines as a span's events."""

from tracebridge.logs.context import TraceContext as TraceContext
from tracebridge.logs.context import TraceContextFilter as TraceContextFilter
from tracebridge.logs.context import add_trace_context as add_trace_context
