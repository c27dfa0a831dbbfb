"""A worker process: its parent is in its environment, or its IDs are its arguments. Usage: worker.py [TRACE_ID SPAN_ID]"""

import os
import sys

from tracebridge import Client

with Client() as client:
    if len(sys.argv) == 3:
        trace_id, parent_id = sys.argv[1:]
        span = client.start_span("work by IDs", trace_id, parent_id)
        client.end_span(trace_id, span.span_id)
    else:
        with client.trace("work by environment", parent=client.extract(os.environ)):
            pass
