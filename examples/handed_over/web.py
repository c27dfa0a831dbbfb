"""A web request: it begins an order, hands it to the queue, and answers. The order goes on without it."""

import sys

from tasks import pack

from tracebridge import Client

with Client(config="bridge.yaml") as client:
    order = client.start_trace("order", trace_id=sys.argv[1], shared=True, attributes={"items": 3})
    pack.delay(order.trace_id)  # no header, no span ID: the order's own number is enough
