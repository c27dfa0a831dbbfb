"""One traced order under its own ID. Run with TRACEBRIDGE_CONFIG=bridge.yaml."""

import sys

from tracebridge import Client, Kind

with Client() as client:
    with (
        client.trace(
            "place order", trace_id="order-2026-000042", kind=Kind.SERVER, inputs={"sku": "A-1", "ssn": "123-45-6789"}
        ),
        client.span("charge card", kind=Kind.CLIENT, attributes={"peer.service": "payments"}),
    ):
        pass
    delivered = client.flush(timeout_s=10)
    for name, books in client.stats().adapters.items():
        print(f"{name}: {books.exported} exported, {books.queued} queued {books.last_error}", file=sys.stderr)
sys.exit(0 if delivered else 1)
