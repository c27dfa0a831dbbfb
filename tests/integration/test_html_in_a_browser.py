"""The HTML file in a real Chromium: opened from the disk, read, folded, searched, printed; and safe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.browser import Browser
from support.pictures import T0, shop, span
from tracebridge.html.document import document, framed
from tracebridge.html.picture import picture
from tracebridge.records.durations import duration
from tracebridge.records.record import Event, Link, StatusCode

pytestmark = pytest.mark.server

HOSTILE = "<img src=x onerror='window.hacked=1'></script><script>window.hacked=1</script>\x1b[31m\u202e\u2066\"'`${window.hacked=1}"
NAMES = ".body .row .text"
SMALL = [
    span("place order", 1, None, 0, 100, custom_trace_id="order-1"),
    span("pay", 2, 1, 10, 90, service="payments"),
    span("authorize", 3, 2, 20, 80, service="payments", attributes={"card": "visa"}, status=int(StatusCode.ERROR), status_message="declined",
         events=(Event("retry", T0 + 30_000_000, {"n": 1}),)),
    span("ship", 4, 1, 90, 95),
]  # fmt: skip


@pytest.fixture
def show(browser: Browser, tmp_path: Path):
    """Write a page and open it from the disk."""

    def opened(page: str) -> Browser:
        path = tmp_path / "trace.html"
        path.write_text(page)
        browser.screen(1280)
        browser.log()
        browser.open(path.as_uri())
        return browser

    return opened


@pytest.fixture
def small(show) -> Browser:
    """The small trace, drawn."""
    page = show(document([SMALL]))
    page.until("document.querySelectorAll('.body .row').length === 4")
    return page


def focused(page: Browser) -> str:
    """The name of the row that has the focus."""
    return page.run(
        "return document.activeElement.querySelector('.text')?.textContent ?? document.activeElement.tagName"
    )


def test_the_spans_are_drawn_with_bars_on_one_axis(small):
    """Names in order; each bar begins and ends where its time says."""
    assert small.texts(NAMES) == ["place order", "pay", "✗ authorize", "ship"]
    bars = small.run(
        "return [...document.querySelectorAll('.body .row')].map((row) => { const [a, b] = ['.time', '.bar'].map((s) => row.querySelector(s)"
        ".getBoundingClientRect()); return [Math.round(100 * (b.left - a.left) / a.width), Math.round(100 * b.width / a.width)] })"
    )
    assert bars == [[0, 100], [10, 80], [20, 60], [90, 5]]
    assert small.log() == []


def test_a_click_shows_what_a_span_tells_and_another_hides_it(small):
    """Message, attributes, events."""
    row = ".body .row:nth-child(3)"
    small.click(row)
    told = small.text(".details")
    for text in ("declined", "visa", "retry", "+30.0 ms", "payments", "0000000000000003"):
        assert text in told
    small.click(row)
    small.until("document.querySelector('.details') === null")


def test_the_keyboard_alone_is_enough(small):
    """Tab into the tree, arrows to move, fold and unfold, Enter for details, Escape to close them, / to search, e for the next error."""
    small.click(".tools input")
    small.press(*["Tab"] * 5)
    assert focused(small) == "place order"
    small.press("Down", "Left")
    assert (focused(small), small.texts(NAMES)) == ("pay", ["place order", "pay", "ship"])
    assert small.run("return document.activeElement.ariaExpanded") == "false"
    small.press("Right", "Right")
    assert (focused(small), len(small.texts(NAMES))) == ("✗ authorize", 4)
    small.press("Enter")
    small.until("document.querySelector('.details')")
    small.press("Escape", "Home", "e")
    assert (focused(small), small.text(".details")) == ("✗ authorize", "")
    small.press("Left", "End", "/")
    assert focused(small) == "INPUT"


def test_a_search_finds_values_and_goes_from_one_to_the_next(small):
    """What is folded away is unfolded where something is found in it."""
    small.click(".tools button")
    assert small.texts(NAMES) == ["place order", "pay", "ship"]
    small.type(".tools input", "VISA")
    small.until("document.querySelector('output').textContent === '1 of 1'")
    assert small.texts(".row.found .text") == ["✗ authorize"]
    small.clear(".tools input")
    small.type(".tools input", "payments")
    small.until("document.querySelector('output').textContent === '1 of 2'")
    small.press("Enter")
    small.until("document.querySelector('output').textContent === '2 of 2'")


def test_a_screen_reader_is_told_what_the_picture_shows(small):
    """Roles, levels, labels: as Chromium's own accessibility tree has them."""
    nodes = small.devtools("Accessibility.getFullAXTree")["nodes"]
    told = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    assert ("treegrid", "spans of order-1") in told
    assert ("searchbox", "Find spans") in told
    rows = [name for role, name in told if role == "row"]
    assert len(rows) == 5
    assert any("authorize error" in re.sub(r"\s+", " ", name) for name in rows)


def test_hostile_texts_execute_nothing_and_are_shown_as_texts(show):
    """Names, keys, values, messages, IDs: nothing runs, nothing steers, and what was written can be read."""
    spans = [
        span(HOSTILE, 1, None, 0, 9, service=HOSTILE, custom_trace_id=HOSTILE, attributes={HOSTILE: HOSTILE}, inputs=[HOSTILE], outputs=HOSTILE,
             tags={HOSTILE: HOSTILE}, status=int(StatusCode.ERROR), status_message=HOSTILE, span_type=HOSTILE, end_cause="leaked", opened_at=HOSTILE,
             custom_span_id=HOSTILE, links=(Link(b"l" * 16, b"m" * 8, "", {HOSTILE: '["\\u202e\\u001b[31m"]'}),), events=(Event(HOSTILE, T0, {HOSTILE: HOSTILE}),)),
        span(HOSTILE, 2, 1, 1, 2),
    ]  # fmt: skip
    page = show(document([spans]))
    page.until("document.querySelectorAll('.body .row').length === 2")
    page.click(".body .row")
    page.until("document.querySelector('.details')")
    page.type(".tools input", "onerror")
    page.until("document.querySelector('output').textContent === '1 of 2'")
    assert page.run(
        "return [typeof window.hacked, document.images.length, document.querySelectorAll('script').length]"
    ) == ["undefined", 0, 1]
    assert "<img src=x onerror='window.hacked=1'></script>" in page.text(".details")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page.run("return document.body.textContent"))
    assert page.log() == []


def test_without_scripts_there_is_a_table(browser, tmp_path):
    """A browser that runs no script shows the spans."""
    path = tmp_path / "trace.html"
    path.write_text(document([SMALL]))
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(path.as_uri())
        # the driver's own scripts are not run then either
        snapshot = browser.devtools("DOMSnapshot.captureSnapshot", computedStyles=[])
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)
    texts = [text.strip() for text in snapshot["strings"]]
    for text in ("place order", "pay", "✗ authorize", "ship", "100 ms", "payments"):
        assert text in texts


def test_a_page_of_several_traces_draws_each_when_it_is_opened(show):
    """The first at once, the others on demand."""
    page = show(document([shop(5, trace_id="order-1"), shop(6, seed=2, trace_id="order-2")]))
    page.until("document.querySelectorAll('.body .row').length === 5")
    page.click("details:nth-of-type(2) summary")
    page.until("document.querySelectorAll('.body .row').length === 11")


def test_a_notebook_s_frame_draws_the_trace(show):
    """In a page of another origin with scripts allowed in the frame alone."""
    page = show(f"<!doctype html><body>{framed(SMALL)}")
    frame = page.find("iframe")
    page.enter(frame)
    try:
        page.until("document.querySelectorAll('.body .row').length === 4")
    finally:
        page.leave()


def test_all_spans_are_printed_however_few_are_on_the_screen(show):
    """1,500 rows on paper: many more pages than those of a short trace."""
    pages = [show(document([shop(number)])).printed().count(b"/Type /Page\n") for number in (20, 1500)]
    assert pages[0] <= 2
    assert pages[1] > 20


def test_the_time_to_draw_a_trace_grows_with_its_size_and_not_with_its_square(show):
    """Ten times the spans: ten times the time, and room for a machine that is busy; a square would be a hundred times."""

    def drawn_in(number: int) -> float:
        page = show(document([shop(number)]))
        page.until("document.querySelector('.body .row')")
        script = "const t = performance.now(); const p = document.createElement('div'); new Waterfall(p, arguments[0]); return performance.now() - t"
        return min(page.run(script, picture(shop(number))) for _ in range(5))

    assert drawn_in(1500) < 40 * drawn_in(150)


@pytest.mark.parametrize("width", [320, 400, 768, 1280, 2560])
def test_the_page_fits_every_screen(show, width):
    """Nothing is wider than the screen, and the bars can be seen."""
    page = show(document([[*SMALL, span("n" * 200, 9, 1, 1, 2, service="s" * 100)]]))
    page.screen(width)
    page.until("document.querySelectorAll('.body .row').length === 5")
    assert page.run("return document.documentElement.scrollWidth") <= width
    assert page.run("return document.querySelector('.body .time').clientWidth") > width / 3


def test_times_are_said_as_the_terminal_says_them(small):
    """One rule in two languages."""
    times = [
        0,
        1,
        999,
        1_000,
        9_994,
        9_996,
        99_949,
        99_951,
        999_499,
        1_234_567,
        59_999_000_000,
        60 * 10**9,
        3_725 * 10**9,
        90_000 * 10**9,
        10**17,
    ]
    assert small.run("return arguments[0].map(duration)", times) == [duration(each) for each in times]


def test_light_and_dark_follow_the_system(show, browser):
    """Both have text that stands out from its ground."""
    page = show(document([SMALL]))
    grounds = []
    for dark in (False, True):
        page.screen(1280, dark=dark)
        grounds.append(page.run("return getComputedStyle(document.body).backgroundColor"))
    page.screen(1280)
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 23, 28)"]
