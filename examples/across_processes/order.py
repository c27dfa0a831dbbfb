"""A program that asks the shop with three HTTP libraries, and starts two workers. Usage: order.py SHOP_URL TRACE_ID"""

import subprocess
import sys
from pathlib import Path

import httpx
import requests
import urllib3
from requests.adapters import HTTPAdapter

from tracebridge import Client, Kind
from tracebridge.propagation.carriers import Environment

WORKER = Path(__file__).with_name("worker.py")
shop, trace_id = sys.argv[1:]


class Traced(HTTPAdapter):
    """For requests: every request of a session carries the current span."""

    def send(self, request, *arguments, **options):
        client.inject(None, request.headers)
        return super().send(request, *arguments, **options)


with Client() as client, client.trace("order", trace_id=trace_id) as root:
    # urllib3, or anything that takes headers: inject writes into a dict and returns it.
    with client.span("with urllib3", kind=Kind.CLIENT) as span:
        print("urllib3:", urllib3.request("GET", shop, headers=client.inject(span, {})).data.decode())

    with client.span("with requests", kind=Kind.CLIENT), requests.Session() as session:
        session.mount("http://", Traced())
        print("requests:", session.get(shop).text)

    with client.span("with httpx", kind=Kind.CLIENT):
        hooks = {"request": [lambda request: client.inject(None, request.headers)]}
        with httpx.Client(event_hooks=hooks) as http:
            print("httpx:", http.get(shop).text)

    # A process can be given the context in its environment, or nothing but the two IDs, by whatever way.
    with client.span("start workers") as span:
        subprocess.run([sys.executable, WORKER], env=client.inject(span, Environment()), check=True)
        subprocess.run([sys.executable, WORKER, span.trace_id, span.span_id], check=True)
