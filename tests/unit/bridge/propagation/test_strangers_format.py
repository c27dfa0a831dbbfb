"""Header formats of other packages: named like ours, and their mistakes are theirs alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.stages import install
from tracebridge import ConfigError

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The formats are installed."""
    install(
        monkeypatch, tmp_path, "header_formats",
        parcel="support.stages:PARCEL", broken="support.stages:BROKEN_PARCEL", naked="pathlib:Path",
    )  # fmt: skip


def test_a_strangers_format_is_read_and_written_beside_ours(make_client):
    """By its name in the file."""
    client = make_client(propagation={"extract": ["parcel", "b3"], "inject": ["parcel", "tracecontext"]})
    span = client.start_trace("r", parent=client.extract({"x-parcel": f"{TRACE}:{SPAN}"}))
    assert (span.wire_trace_id, span.parent_id) == (TRACE, SPAN)
    headers = client.inject(span, {"X-Parcel": "old"})
    assert headers["x-parcel"] == f"{TRACE}:{span.span_id}"
    assert "traceparent" in headers


def test_what_it_raises_is_said_once_and_the_others_go_on(make_client, caplog):
    """Without the text of the exception, and nothing of a half-written header goes out."""
    client = make_client(propagation={"extract": ["broken", "tracecontext"], "inject": ["broken", "tracecontext"]})
    headers = {"x-parcel": "broken", "traceparent": f"00-{TRACE}-{SPAN}-01"}
    for _ in range(3):
        found = client.extract(headers)
        assert (found.trace_id, found.span_id) == (TRACE, SPAN)
    written = client.inject(client.start_trace("r"), {})
    assert sorted(written) == ["traceparent"]
    assert [record.getMessage() for record in caplog.records] == [
        'header format "broken" failed (KeyError); the others go on',
        'header format "broken" failed (ValueError); the others go on',
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("parcle", 'did you mean "parcel"?'),
        (
            "naked",
            'header format "naked" is of the type type: make its entry point name a tracebridge.propagation.formats.HeaderFormat',
        ),
    ],
)
def test_a_name_that_stands_for_no_format_is_an_error(make_client, name, words):
    """At start, with what was meant."""
    with pytest.raises(ConfigError) as caught:
        make_client(propagation={"extract": [name]})
    assert words in str(caught.value)
