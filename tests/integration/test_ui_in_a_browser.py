"""`tracebridge ui` in a real Chromium: the list, filters, a trace, two traces, live updates; by mouse and keyboard; and safe."""

from __future__ import annotations

import re
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.browser import Browser
from support.pictures import shop
from tracebridge import Client
from tracebridge.ids.identity import Identity
from tracebridge.plugins.adapter import Context
from tracebridge.reading.destination import Destination
from tracebridge.settings.model import TraceIdSettings
from tracebridge.ui.answers import Answers
from tracebridge.ui.server import UiServer
from tracebridge_adapters.store import StoreAdapter, StoreOptions

pytestmark = pytest.mark.server

HOSTILE = "<img src=x onerror='window.hacked=1'></script><script>window.hacked=1</script>\x1b[31m\u202e\u2066\"'`${window.hacked=1}#/?&"
IDS = ".list-of-traces .id"
ROWS = ".body .row .text"
MS = 1_000_000
START = 1_790_000_000_000 * MS


class Page:
    """A page over a store, in a browser, and a client that writes into the store."""

    def __init__(self, browser: Browser, server: UiServer, client: Client, path: str) -> None:
        self.browser, self.server, self.client, self.path = browser, server, client, path

    def go(self, place: str = "", ready: str = ".list-of-traces, .tree, .message") -> Browser:
        """Open a place of the page and wait until there is something."""
        self.browser.open(self.server.url + place)
        self.browser.until("document.querySelector(arguments[0])", ready)
        return self.browser

    def trace(
        self, trace_id: str, name: str = "order", milliseconds: int = 10, *, status: str = "OK", at: int = 0
    ) -> None:
        """Write a trace of two spans."""
        start = START + at * MS
        root = self.client.start_trace(name, trace_id=trace_id, start_time_ns=start)
        span = self.client.start_span(
            f"pay for {name}", root.trace_id, root.span_id, attributes={"card": trace_id}, start_time_ns=start + MS
        )
        span.end(end_time_ns=start + 2 * MS)
        root.end(status=status, end_time_ns=start + milliseconds * MS)
        self.client.flush()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A server over a store, and another destination that has nothing."""
    path = str(tmp_path / "store.db")
    config = {"resource": {"attributes": {"service.name": "shop"}}, "adapters": {"store": {"path": path}}}
    stores = {
        name: StoreAdapter(StoreOptions(path=file), Context(name))
        for name, file in (("store", path), ("store/other", str(tmp_path / "other.db")))
    }
    destinations = [Destination(name, adapter, adapter, "") for name, adapter in stores.items()]
    with Client(config=config) as client, UiServer(Answers(destinations, Identity(TraceIdSettings()))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        browser.screen(1280)
        browser.log()
        yield Page(browser, server, client, path)
        browser.open("about:blank")
        server.shutdown()
        thread.join()
    for each in destinations:
        each.adapter.close()


@pytest.fixture
def three(page: Page) -> Page:
    """Three traces, the newest of which is order-3 and failed."""
    for number in (1, 2, 3):
        page.trace(
            f"order-{number}", f"order {number}", 10**number, status="ERROR" if number == 3 else "OK", at=number * 1000
        )
    return page


def test_an_empty_store_says_that_traces_will_come_and_they_do(page):
    """Live: nobody reloads anything."""
    browser = page.go()
    assert "No traces yet." in browser.text("main")
    page.trace("order-1")
    browser.until("document.querySelectorAll('.list-of-traces tbody tr').length === 1")
    page.trace("order-2", at=1000)
    browser.until("document.querySelectorAll('.list-of-traces tbody tr').length === 2")
    assert (browser.texts(IDS), browser.text("#said")) == (["order-2", "order-1"], "1 new trace")


def test_live_can_be_switched_off_and_on(three):
    """The list stays as it is while somebody reads it."""
    browser = three.go()
    browser.click(".live")
    three.trace("order-4", at=4000)
    browser.run("clearTimeout(app.timer); app.lookAgain(app.number)")
    assert browser.texts(IDS) == ["order-3", "order-2", "order-1"]
    browser.click(".live")
    browser.until("document.querySelectorAll('.list-of-traces tbody tr').length === 4")


def test_the_list_says_what_a_person_wants_to_know(three):
    """Newest first, with status, spans and duration."""
    [row, *_] = three.go().texts(".list-of-traces tbody tr")
    assert re.sub(r"\s+", " ", row).startswith("order-3 order 3 shop ✗ error 2 1.00 s 2026-09-21 ")


@pytest.mark.parametrize(
    ("field", "text", "found"),
    [
        ("id", "R-2", ["order-2"]),
        ("name", "der 3", ["order-3"]),
        ("service", "shop", ["order-3", "order-2", "order-1"]),
        ("service", "other", []),
        ("min", "100", ["order-3", "order-2"]),
        ("max", "10", ["order-1"]),
        ("attribute", "card=order-1", ["order-1"]),
        ("filter", "status = 'ERROR'", ["order-3"]),
    ],
)
def test_filters_narrow_the_list_and_stand_in_the_address(three, field, text, found):
    """So that they can be kept, sent, and gone back from."""
    browser = three.go()
    browser.type(f".filters [name={field}]", text)
    browser.press("Enter")
    browser.until(
        "document.querySelectorAll('.list-of-traces tbody tr').length === arguments[0] && location.hash !== ''",
        len(found),
    )
    assert browser.texts(IDS) == found
    assert urllib.parse.parse_qs(browser.address.partition("?")[2]) == {field: [text]}
    browser.run("history.back()")
    browser.until("document.querySelectorAll('.list-of-traces tbody tr').length === 3")


def test_a_choice_filters_at_once(three):
    """Without a button."""
    browser = three.go()
    browser.run(
        "const s = document.querySelector('[name=status]'); s.value = 'ERROR'; s.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    browser.until("document.querySelectorAll('.list-of-traces tbody tr').length === 1")
    assert browser.texts(IDS) == ["order-3"]


def test_a_filter_that_cannot_be_read_is_answered_in_words(three):
    """Where it was written."""
    browser = three.go("#/?filter=oops")
    assert browser.text("[role=alert]").startswith("cannot read ''")


def test_the_charts_show_what_is_listed_and_lead_to_parts_of_it(three):
    """A column of the histogram is a filter, a box of the map too."""
    browser = three.go()
    assert browser.texts(".card h2") == [
        "Durations: half within 100 ms, 95 % within 1.00 s, the longest 1.00 s",
        "1 service, 0 connections",
    ]
    assert browser.run("return [...document.querySelectorAll('.column[aria-label]')].map((one) => one.getAttribute('aria-label'))") == [
        "1 trace of 10 ms to 20 ms", "1 trace of 100 ms to 200 ms", "1 trace of 1 s to 2 s, 1 error",
    ]  # fmt: skip
    browser.click(".column[aria-label^='1 trace of 100']")
    browser.until("document.querySelectorAll('.list-of-traces tbody tr').length === 1")
    assert browser.texts(IDS) == ["order-2"]


def test_a_trace_is_reached_by_mouse_and_its_address_is_its_own_id(three):
    """The link in the list; its waterfall; back."""
    browser = three.go()
    browser.click(f"{IDS} a")
    browser.until("document.querySelectorAll('.body .row').length === 2")
    assert (browser.texts(ROWS), browser.text("h1")) == (["✗ order 3", "pay for order 3"], "order-3")
    assert browser.address.endswith("/#/trace/order-3")
    assert browser.run("return document.title") == "order-3 · Tracebridge"


def test_a_trace_is_reached_by_keyboard_alone(three):
    """/ goes to the search, Enter to the trace; and into its rows."""
    browser = three.go()
    browser.press("/", *"order-2", "Enter")
    browser.until("document.querySelectorAll('.body .row').length === 2")
    assert browser.text("h1") == "order-2"
    browser.press(*["Tab"] * 5)
    browser.press("Down", "Enter")
    assert "order-2" in browser.text(".details")


def test_a_part_of_an_id_leads_to_the_list_of_those_that_have_it(three):
    """What is no whole ID is looked for."""
    browser = three.go()
    browser.type(".go input", "rder-")
    browser.press("Enter")
    browser.until(
        "location.hash === '#/?id=rder-' && document.querySelectorAll('.list-of-traces tbody tr').length === 3"
    )


@pytest.mark.parametrize("trace_id", ["order/1?a=b#c&d%20 e", "заказ-1", HOSTILE])
def test_a_deep_link_leads_to_a_trace_whatever_its_id_is(page, trace_id):
    """By the custom ID, percent-encoded."""
    page.trace(trace_id)
    browser = page.go(f"#/trace/{urllib.parse.quote(trace_id, safe='')}", ".tree")
    assert browser.texts(ROWS) == ["order", "pay for order"]
    page.go("")
    browser.click(f"{IDS} a")
    browser.until("document.querySelectorAll('.body .row').length === 2")


def test_a_trace_that_is_not_there_yet_is_shown_when_it_comes(page):
    """The words say where was looked."""
    browser = page.go("#/trace/order-9")
    assert browser.text(".message") == "There is no such trace in store, store/other. It is shown here when it comes."
    browser.run("clearTimeout(app.timer)")
    page.trace("order-9")
    browser.run("app.lookAgain(app.number)")
    browser.until("document.querySelectorAll('.body .row').length === 2")
    assert browser.text(".message") == ""


def test_a_trace_grows_while_spans_come_in_and_what_was_done_to_it_stays(page):
    """Folds, open details and the place of the keyboard are by span, not by row."""
    page.trace("order-1")
    browser = page.go("#/trace/order-1", ".tree")
    browser.click(".body .row:nth-child(2)")
    browser.until("document.querySelector('.details')")
    page.client.start_trace("before", trace_id="order-1", start_time_ns=START - MS).end(end_time_ns=START)
    page.client.flush()
    browser.until("document.querySelectorAll('.body .row').length === 3")
    assert browser.texts(ROWS) == ["before", "order", "pay for order"]
    assert (
        browser.run(
            "return document.querySelector('.details').previousElementSibling.querySelector('.text').textContent"
        )
        == "pay for order"
    )
    assert browser.run("return document.activeElement.querySelector('.text').textContent") == "pay for order"


def test_two_traces_stand_beside_each_other_on_one_time_axis(three):
    """Ticked in the list; the differences, and both waterfalls on one scale."""
    browser = three.go()
    browser.click(".list-of-traces tr:nth-child(1) input")
    assert browser.run("return document.querySelector('.under button').disabled") is True
    browser.click(".list-of-traces tr:nth-child(2) input")
    browser.click(".under button")
    browser.until("document.querySelectorAll('.two .body .row').length === 4")
    assert browser.texts(".two h1") == ["order-3", "order-2"]
    widths = browser.run(
        "return [...document.querySelectorAll('.two .row:first-child .bar')].map((bar) => bar.style.width)"
    )
    assert widths == ["100%", "10%"]
    [first, *_] = browser.texts("table tbody tr")
    assert re.split(r"\s*\t\s*", first) == ["order 3", "shop", "1.00 s", "–", "\u22121.00 s"]


def test_another_destination_is_chosen_in_the_page(three):
    """And stands in the address."""
    browser = three.go()
    browser.run(
        "const s = document.querySelector('.from select'); s.value = 'store/other'; s.dispatchEvent(new Event('change'))"
    )
    browser.until("document.querySelector('main').innerText.includes('No traces yet.')")
    assert browser.address.endswith("#/?from=store%2Fother")


def test_hostile_texts_execute_nothing_anywhere_in_the_page(page):
    """As ID, name, service, attribute, filter and address."""
    with Client(config={"resource": {"attributes": {"service.name": HOSTILE}}, "adapters": {"store": {"path": page.path}}}) as client:  # fmt: skip
        for number in range(2):
            root = client.start_trace(
                HOSTILE, trace_id=f"{HOSTILE}{number}", inputs=HOSTILE, tags={HOSTILE: HOSTILE}, start_time_ns=START
            )
            client.start_span(HOSTILE, root.trace_id, root.span_id, attributes={HOSTILE: HOSTILE}).end("ERROR")
            root.end()
    quoted = urllib.parse.quote(HOSTILE, safe="")
    browser = page.go(f"#/?name={quoted}&from={quoted}")
    assert "from: " in browser.text("[role=alert]")
    browser = page.go(f"#/?service={quoted}", ".list-of-traces")
    browser.click(".list-of-traces tr:nth-child(1) input")
    browser.click(".list-of-traces tr:nth-child(2) input")
    browser.click(".under button")
    browser.until("document.querySelectorAll('.two .body .row').length === 4")
    browser.click(".two .body .row")
    browser.until("document.querySelector('.details')")
    page.go(f"#/trace/{quoted}0", ".tree")
    assert browser.run("return [typeof window.hacked, document.images.length]") == ["undefined", 0]
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", browser.run("return document.body.textContent")
    )
    assert [line for line in browser.log() if "400 (Bad Request)" not in line] == []


def test_the_end_of_the_server_is_told(three):
    """In words that say what to do."""
    browser = three.go()
    browser.run(
        "window.fetch = () => Promise.reject(new TypeError('Failed to fetch')); clearTimeout(app.timer); app.look(app.number)"
    )
    browser.until("document.querySelector('[role=alert]')")
    assert "Start it again" in browser.text("[role=alert]")
    assert browser.texts(IDS) == ["order-3", "order-2", "order-1"]


def test_a_screen_reader_is_told_what_there_is(three):
    """Names of fields, landmarks, a table with heads, an announcement."""
    browser = three.go()
    nodes = browser.devtools("Accessibility.getFullAXTree")["nodes"]
    told = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]}
    for each in [("navigation", "Tracebridge"), ("searchbox", "Trace ID"), ("search", "Filter traces"), ("main", ""), ("status", ""), ("columnheader", "duration"),
                 ("checkbox", "compare order-1"), ("link", "order-1"), ("combobox", "Destination"), ("textbox", "name contains")]:  # fmt: skip
        assert each in told
    unnamed = [node for node in nodes if not node["ignored"] and node["role"]["value"] in {"button", "link", "textbox", "checkbox", "combobox", "searchbox"}
               and not node.get("name", {}).get("value")]  # fmt: skip
    assert unnamed == []


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("place", ["", "#/trace/order-3", "#/compare/order-3/order-2"])
def test_the_page_fits_every_screen(three, width, place):
    """Nothing is wider than the screen."""
    three.trace("x" * 300, "n" * 300, at=9000)
    three.browser.screen(width)
    browser = three.go(place, ".list-of-traces, .tree")
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_a_trace_of_1500_spans_is_shown(page):
    """Through the store, the server and the page."""
    store = page.server.answers._destinations["store"].adapter
    spans = shop(1500)
    store.send(store.encode(spans), len(spans))
    browser = page.go("#/trace/user123_report_20260101_ab12cd34", ".tree")
    assert browser.run("return document.querySelector('.tree').ariaRowCount") == "1501"
    browser.run("document.querySelector('.more-rows').scrollIntoView()")
    browser.until("document.querySelectorAll('.body .row').length === 1500")
