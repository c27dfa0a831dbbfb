"""A third process, perhaps days later: the courier has delivered, and the order ends."""

import sys

from tracebridge import Client

with Client(config="bridge.yaml") as client:
    client.end_trace(sys.argv[1], outputs={"delivered": True})
