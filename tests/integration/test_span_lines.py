"""The `otlp_json` profile line by line into a real OTLP receiver: what it understood is the span, to the nanosecond and the type."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3

from support import readback
from support.cases import CASES
from support.otlp_view import expected as expected_of_otlp
from tracebridge_adapters.formats.files.spanlog_writers import writer_of
from tracebridge_adapters.log import DEFAULT_MAX_LINE_BYTES

pytestmark = pytest.mark.server


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_collector_takes_each_line_as_the_span_that_it_is(collector, salt, case):
    """Over OTLP/HTTP JSON, the flat IDs and the number behind it ignored."""
    records: Any = case.records(salt)
    writer = writer_of("otlp_json")
    numbering = writer.numbering("0a1b2c3d")
    for number, record in enumerate(records, 1):
        line = writer.encode(record)[:-2] + numbering % number
        answer = urllib3.request(
            "POST",
            f"{collector.otlp_http}/v1/traces",
            body=line,
            headers={"Content-Type": "application/json"},
        )
        assert (answer.status, answer.json()) == (200, {"partialSuccess": {}})
    expected = {record.span_id.hex(): expected_of_otlp(record) for record in records}
    assert readback.collector_says(collector, records) == expected


def test_a_line_that_was_cut_is_still_a_span(collector, salt):
    """A Collector takes what is left, with the same IDs and times."""
    (record,) = next(case for case in CASES if case.name == "huge").records(salt)
    line = writer_of("otlp_json", max_line_bytes=DEFAULT_MAX_LINE_BYTES).encode(record)
    assert len(line) <= DEFAULT_MAX_LINE_BYTES
    headers = {"Content-Type": "application/json"}
    assert urllib3.request("POST", f"{collector.otlp_http}/v1/traces", body=line, headers=headers).status == 200
    (said,) = readback.collector_says(collector, [record]).values()
    whole = expected_of_otlp(record)
    assert {**said, "attributes": None} == {**whole, "attributes": None}
    assert said["attributes"].keys() == whole["attributes"].keys()
