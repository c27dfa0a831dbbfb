"""What replaces a custom trace manager: the ID of your own *is* the trace ID."""

import uuid
from datetime import datetime

from tracebridge import Client

with Client() as client:
    custom_id = f"user123_report_{datetime.now():%Y%m%d_%H%M%S}_{uuid.uuid4().hex[:8]}"
    with client.trace(
        "report_user123", trace_id=custom_id, attributes={"user_id": "user123", "priority": "high"}
    ) as root:
        assert client.get_active_trace(custom_id) is root
        with client.span("render") as span:
            span.set_outputs({"pages": 3})
        root.set_outputs({"status": "completed"})
    trace = client.get_trace(custom_id)
    print(f"traced {trace.info.trace_id}, which back-ends show as {trace.info.wire_trace_id}")
