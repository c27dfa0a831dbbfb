"""What replaces a custom trace manager: the ID of your own *is* the trace ID, while the trace is open and afterwards."""

import uuid
from datetime import datetime

from tracebridge import Client

with Client() as client:
    custom_id = f"user123_report_{datetime.now():%Y%m%d%H%M%S}_{uuid.uuid4().hex[:8]}"
    with client.trace(
        "report", trace_id=custom_id, attributes={"user_id": "user123", "report_type": "quarterly"}
    ) as root:
        assert client.get_active_trace(custom_id) is root
        assert client.active_traces == [root]
        with client.span("render") as span:
            span.set_outputs({"pages": 3})
    assert client.get_active_trace(custom_id) is None
    trace = client.get_trace(custom_id)
    print(f"traced {trace.info.trace_id}, which back-ends show as {trace.info.wire_trace_id}")
