#!/usr/bin/env bash
# py_zipkin: spans of coroutines that run at the same time become children of each other.
#
# Expected: two coroutines under asyncio.gather() each have a copy of the context, so a span that one opens is the parent of what this one opens
#   next, and the other does not see it. py_zipkin keeps its stack in a context variable.
# Happens: the variable holds one mutable stack; the copies of the context share it. Each `with zipkin_span` takes the top of the stack as its parent, and that
#   is whatever the other coroutine opened last: the second request is a child of the first, and their inner spans are exchanged.
# Why a user cares: there is no error, and each trace looks complete, but in an asyncio service durations and errors are shown under the wrong call.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q py_zipkin==1.2.8
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio
import json
import sys
from importlib.metadata import version

from py_zipkin.encoding import Encoding
from py_zipkin.zipkin import zipkin_span

sent = []


async def call(name, others_turn, my_turn):
    with zipkin_span(service_name="s", span_name=name):
        others_turn.set()
        await my_turn.wait()
        with zipkin_span(service_name="s", span_name=f"{name}.inner"):
            await asyncio.sleep(0)


async def main():
    a, b = asyncio.Event(), asyncio.Event()
    options = {"transport_handler": sent.append, "sample_rate": 100, "encoding": Encoding.V2_JSON}
    with zipkin_span(service_name="s", span_name="root", **options):
        await asyncio.gather(call("a", b, a), call("b", a, b))


asyncio.run(main())
spans = [span for batch in sent for span in json.loads(batch)]
names = {span["id"]: span["name"] for span in spans}
parents = {span["name"]: names.get(span.get("parentId")) for span in spans}
print("version: py_zipkin", version("py_zipkin"))
print("behaviour: under asyncio.gather a span becomes the child of a span that another coroutine has open")
print(f"seen: parents: {parents}")
sys.exit(parents["b"] == "root" and parents["a.inner"] == "a" and parents["b.inner"] == "b")
PYTHON
