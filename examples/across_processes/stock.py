"""A service that knows what is in stock: an ASGI application, served by uvicorn on the port given."""

import sys

import uvicorn

from tracebridge import Client
from tracebridge.middleware import TraceAsgi

client = Client()


async def app(scope, receive, send):
    """Answer everything with a number."""
    async with client.span("look up", attributes={"sku": "A-1"}):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"17"})


uvicorn.run(TraceAsgi(app, client), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
