"""A span's data goes in by its calls only: past redaction and limits there is no way."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inputs", {"password": "hunter2"}),
        ("outputs", "hunter2"),
        ("attributes", {"password": "hunter2"}),
        ("name", "x" * 10_000),
        ("span_type", object()),
        ("status", "OK"),
        ("events", []),
        ("links", []),
        ("kind", "server"),
        ("cause", None),
        ("span_id", "0" * 16),
        ("parent_id", None),
        ("trace_id", "x"),
        ("start_time_ns", -1),
        ("end_time_ns", -1),
        ("password", "hunter2"),
        ("attributes_now", {}),
    ],
)
def test_what_a_span_tells_cannot_be_assigned(client, name: str, value: Any):
    """It is an AttributeError, as everywhere in Python."""
    root = client.start_trace("r")
    before = root.to_dict()
    with pytest.raises(AttributeError):
        setattr(root, name, value)
    assert root.to_dict() == before


def test_what_a_span_tells_is_a_copy(client, delivered):
    """Changing it changes no span, however deep: it would go past redaction."""
    root = client.start_trace("r", inputs={"a": [{"b": 1}]}, attributes={"list": ["x"], "plain": 1})
    root.set_outputs({"c": ["d"]})
    root.inputs["a"][0]["password"] = "hunter2"
    root.outputs["c"].append("hunter2")
    root.attributes["list"].append("hunter2")
    root.attributes["password"] = "hunter2"
    root.end()
    (record,) = delivered(client)
    assert (record.inputs, record.outputs, record.attributes, record.redacted) == (
        {"a": [{"b": 1}]}, {"c": ["d"]}, {"list": ["x"], "plain": 1}, 0,
    )  # fmt: skip
