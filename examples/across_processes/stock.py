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


async def with_lifespan(scope, receive, send):
    """Close the client when the server stops."""
    if scope["type"] != "lifespan":
        await app(scope, receive, send)
        return
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    client.close()
    await send({"type": "lifespan.shutdown.complete"})


uvicorn.run(TraceAsgi(with_lifespan, client), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
