#!/usr/bin/env bash
# py_zipkin: one tag whose value is a number costs the whole trace when the encoding is protobuf.
#
# Expected: a tag value that is no text is written as text, as the JSON encoding of the same library does, or this one tag is left out.
# Happens: with Encoding.V2_PROTO3 an assertion without words fails while the batch is encoded. The transport is not called for any span, the
#   program goes on, and the log has "Error emitting zipkin trace. ZipkinError('… AssertionError: ')", which names neither span nor tag.
# Why a user cares: a team that changes its encoding from JSON to protobuf to save bytes loses every trace in which somebody
#   counted retries or put a status code into a tag.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'py_zipkin[protobuf]==1.2.8'
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import logging
import sys
from importlib.metadata import version

from py_zipkin.encoding import Encoding
from py_zipkin.zipkin import zipkin_span

logging.disable(logging.CRITICAL)


def batches_sent(encoding, value):
    sent = []
    with zipkin_span(service_name="s", span_name="root", transport_handler=sent.append, sample_rate=100, encoding=encoding):
        with zipkin_span(service_name="s", span_name="child") as child:
            child.update_binary_annotations({"retries": value})
        with zipkin_span(service_name="s", span_name="other child"):
            pass
    return len(sent)


seen = {
    f"{encoding.name} {value!r}": batches_sent(encoding, value) for encoding in (Encoding.V2_JSON, Encoding.V2_PROTO3) for value in ("3", 3)
}
print("version: py_zipkin", version("py_zipkin"))
print("behaviour: with protobuf, no span of a trace is sent when a tag of one of them is a number")
print("seen: batches sent:", seen)
sys.exit(list(seen.values()) != [1, 1, 1, 0])
PYTHON
