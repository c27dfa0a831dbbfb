"""What a browser draws of a trace: rows in order, bounded, printable."""

from __future__ import annotations

import msgspec
import pytest

from support.pictures import T0, TRACE, shop, span
from tracebridge.html import picture as module
from tracebridge.html.picture import picture
from tracebridge.records.record import Event, Kind, Link, StatusCode

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202eevil\u2066\x00</script>"


def texts_of(value):
    """Every text in a value, keys included."""
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts_of(each)]
    if isinstance(value, (list, tuple)):
        return [text for each in value for text in texts_of(each)]
    return [value] if isinstance(value, str) else []


def test_a_trace_is_drawn_as_rows_in_order_with_all_that_spans_tell():
    """Parents before children; times after the trace's start; a key that is not there is at its default."""
    root = span("place order", 1, None, 0, 20, custom_trace_id="order-1", tags={"team": "blue"}, inputs={"n": 1}, outputs="done",
                status=int(StatusCode.OK), span_type="CHAIN")  # fmt: skip
    pay = span("pay", 2, 1, 5, 15, service="payments", kind=int(Kind.CLIENT), status=int(StatusCode.ERROR), status_message="declined",
               attributes={"retries": 2, "card": "visa"}, events=(Event("retry", T0 + 7_000_000, {"n": 1}),),
               links=(Link(b"l" * 16, b"m" * 8, "", {"why": "cause"}),), end_cause="leaked", opened_at="shop.py:3")  # fmt: skip
    assert picture([pay, root]) == {
        "id": "order-1", "wire_id": TRACE.hex(), "name": "place order", "service": "shop", "status": "OK", "start_ms": T0 / 1e6,
        "duration": 20_000_000, "spans": 2, "errors": 1, "left_out": 0, "shortened": 0,
        "rows": [
            {"name": "place order", "service": "shop", "start": 0, "duration": 20_000_000, "id": "0000000000000001", "status": "OK", "type": "CHAIN",
             "inputs": '{"n":1}', "outputs": "done", "tags": [("team", "blue")], "depth": 0, "critical": True},
            {"name": "pay", "service": "payments", "start": 5_000_000, "duration": 10_000_000, "id": "0000000000000002", "kind": "CLIENT",
             "status": "ERROR", "parent": "0000000000000001", "end_cause": "leaked", "opened_at": "shop.py:3", "message": "declined",
             "attributes": [("retries", "2"), ("card", "visa")], "events": [("retry", 7_000_000, [("n", "1")])],
             "links": [((b"l" * 16).hex(), (b"m" * 8).hex(), [("why", "cause")])], "depth": 1, "critical": True},
        ],
    }  # fmt: skip


def test_orphans_and_circles_are_drawn_and_say_so():
    """Every span is in the picture."""
    rows = picture([span("orphan", 1, 9, 0, 1), span("a", 2, 3, 1, 2), span("b", 3, 2, 2, 3)])["rows"]
    assert [(row["name"], row.get("place"), row["depth"]) for row in rows] == [
        ("orphan", "orphan", 0),
        ("a", "circle", 0),
        ("b", None, 1),
    ]


def test_an_empty_input_is_one_that_was_given():
    """Empty text is shown; what was not set is not."""
    [row] = picture([span("x", 1, None, 0, 1, inputs="")])["rows"]
    assert (row["inputs"], "outputs" in row) == ("", False)


def test_a_piece_without_a_start_does_not_stretch_the_picture():
    """A span whose start never came begins with the trace."""
    piece = msgspec.structs.replace(span("piece", 2, 1, 0, 1), start_time_ns=0, end_time_ns=0)
    shown = picture([span("root", 1, None, 0, 5), piece])
    assert (shown["duration"], [row["start"] for row in shown["rows"]]) == (5_000_000, [0, 0])


def test_no_text_of_a_span_has_a_character_that_steers():
    """Control and bidirectional characters are blanks, whoever wrote them, wherever they stand; broken lines of values stay."""
    shown = picture(
        [span(HOSTILE, 1, None, 0, 1, service=HOSTILE, custom_trace_id=HOSTILE, attributes={HOSTILE: [HOSTILE]}, inputs=f"a\n{HOSTILE}", tags={HOSTILE: HOSTILE},
              status_message=HOSTILE, span_type=HOSTILE, opened_at=HOSTILE, end_cause="leaked", custom_span_id=HOSTILE,
              events=(Event(HOSTILE, T0, {HOSTILE: HOSTILE}),), links=(Link(b"l" * 16, b"m" * 8, HOSTILE, {HOSTILE: HOSTILE}),))]
    )  # fmt: skip
    assert all(text.replace("\n", "").isprintable() for text in texts_of(shown))
    assert shown["rows"][0]["inputs"].startswith("a\n<img")


def test_long_texts_are_cut_and_counted(monkeypatch):
    """Names are cut; a value says how much is missing; after all of `MAX_TEXT` values are cut shorter."""
    monkeypatch.setattr(module, "MAX_VALUE", 10)
    monkeypatch.setattr(module, "MAX_TEXT", 10)
    monkeypatch.setattr(module, "MAX_SHORT", 3)
    shown = picture([span("n" * 100_000, 1, None, 0, 1, attributes={"k" * 1000: "v" * 12, "next": "abcd"})])
    [row] = shown["rows"]
    assert (len(row["name"]), row["attributes"], shown["shortened"]) == (
        module.MAX_NAME,
        [("k" * 299 + "…", "vvvvvvvvvv… (2 more characters)"), ("next", "abc… (1 more characters)")],
        2,
    )


@pytest.mark.parametrize("most", [1, 3, 50, 399])
def test_of_a_trace_that_is_too_large_the_deepest_spans_are_left_out_and_counted(most):
    """Rows and counts add up to all spans, and no row lacks its parent."""
    spans = shop(400)
    shown = picture(spans, max_spans=most)
    rows = shown["rows"]
    assert (len(rows), shown["left_out"], sum(row.get("left_out", 0) for row in rows)) == (most, 400 - most, 400 - most)
    drawn = {row["id"] for row in rows}
    assert all(row["parent"] in drawn for row in rows if "parent" in row)


def test_a_trace_of_ten_thousand_levels_is_drawn():
    """No recursion."""
    spans = [span(f"{n}", n + 1, n or None, 0, 20_000 - n) for n in range(10_000)]
    assert [row["depth"] for row in picture(spans)["rows"]] == list(range(10_000))
