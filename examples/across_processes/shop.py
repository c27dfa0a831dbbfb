"""A shop that asks the stock: a WSGI application on the port given, which calls the address given."""

import sys
from wsgiref.simple_server import make_server

import urllib3

from tracebridge import Client, Kind
from tracebridge.middleware import TraceWsgi

client = Client()
port, stock = int(sys.argv[1]), sys.argv[2]


def app(environ, start_response):
    """Answer with what the stock says."""
    with client.span("ask stock", kind=Kind.CLIENT, attributes={"peer.service": "stock"}) as span:
        answer = urllib3.request("GET", stock, headers=client.inject(span, {}))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.data]


with make_server("127.0.0.1", port, TraceWsgi(app, client)) as server:
    server.serve_forever()
