"""One HTML file: self-contained, small, and safe whatever spans say. Read by the standard library's parser."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from html.parser import HTMLParser

import msgspec

from support.pictures import shop, span
from tracebridge import Client
from tracebridge.html.document import MAX_STATIC_ROWS, asset, document, framed
from tracebridge.html.picture import picture

HOSTILE = '</script><script>hacked=1</script><img src=x onerror="hacked=1">\'"&\x1b\u202e-->]]>'


class Parsed(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append((self.elements[-1][0] if self.elements else "", data))

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def packed(page: str) -> list[dict]:
    """The pictures in a page."""
    found = re.findall(r'<script type="text/plain">([A-Za-z0-9+/=]*)</script>', page)
    return [json.loads(zlib.decompress(base64.b64decode(each))) for each in found]


def plain(value):
    """A value as JSON has it: tuples are lists."""
    return json.loads(msgspec.json.encode(value))


def test_the_file_holds_the_whole_picture():
    """What is unpacked is what was drawn."""
    assert packed(document([shop(50)])) == [plain(picture(shop(50)))]


def test_1500_spans_with_five_attributes_each_are_less_than_150_kb():
    """The limit that a CI artifact or a mail takes lightly."""
    assert len(document([shop(1500)]).encode()) < 150_000


def test_nothing_is_loaded_from_anywhere():
    """No element has an address, and the policy forbids every request."""
    page = Parsed(document([shop(30), shop(30, seed=2)]))
    assert [a for _, attributes in page.elements for a in ("src", "href", "action", "data") if a in attributes] == []
    assert "default-src 'none'" in page.named("meta")[1]["content"]


def test_the_policy_names_the_one_script_and_the_one_style_by_their_hashes():
    """Nothing else runs: a changed byte of either is another hash."""
    text = document([shop(3)])
    policy = Parsed(text).named("meta")[1]["content"]
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        [inner] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy


def test_no_text_of_a_span_becomes_an_element_or_an_attribute():
    """A hostile trace has the elements that a harmless one has, and no character of its texts steers."""
    fields = {"custom_trace_id": HOSTILE, "service": HOSTILE, "attributes": {HOSTILE: HOSTILE}, "inputs": HOSTILE}
    hostile, harmless = (document([[span(text, 1, None, 0, 1, **{k: v if text == HOSTILE else "x" if k != "attributes" else {} for k, v in fields.items()})]]) for text in (HOSTILE, "x"))  # fmt: skip
    assert [tag for tag, _ in Parsed(hostile).elements] == [tag for tag, _ in Parsed(harmless).elements]
    assert hostile.replace("\n", "").isprintable()


def test_without_scripts_a_table_has_the_spans_and_counts_those_that_it_leaves_out():
    """Names, services, starts and durations are there as text."""
    parsed = Parsed(document([shop(MAX_STATIC_ROWS + 7)]))
    assert len(parsed.named("tr")) == 1 + MAX_STATIC_ROWS
    texts = [text for _, text in parsed.texts]
    assert "7 more spans are drawn where scripts run." in texts
    at = texts.index("POST /orders")
    assert texts[at : at + 4] == ["POST /orders", "gateway", "+0 ns", "2.34 s\n"]


def test_several_traces_stand_under_each_other_and_the_first_is_open():
    """One element a trace, with what it is in its summary."""
    parsed = Parsed(document([shop(3, trace_id="order-1"), shop(3, seed=2, trace_id="order-2")]))
    assert parsed.named("details") == [{"class": "trace", "open": None}, {"class": "trace"}]
    summaries = [text for tag, text in parsed.texts if tag == "summary"]
    assert summaries == [
        "order-1: POST /orders, 3 spans, 1 with errors, 2.34 s",
        "order-2: POST /orders, 3 spans, 2.34 s",
    ]


def test_a_notebook_shows_the_same_file_shut_off_from_its_own_page():
    """A frame that may run scripts and nothing else; its document is the file."""
    spans = [span(HOSTILE, 1, None, 0, 1, custom_trace_id=HOSTILE)]
    [frame] = Parsed(framed(spans)).named("iframe")
    assert (frame["sandbox"], frame["srcdoc"]) == ("allow-scripts", document([spans]))


def test_a_trace_that_was_read_back_is_shown_by_a_notebook(client: Client):
    """`Trace._repr_html_`: finished spans as they are, open ones until now, marked."""
    root = client.start_trace("order", trace_id="order-1")
    client.start_span("pay", root.trace_id, root.span_id).end()
    shown = client.get_trace("order-1")._repr_html_()
    [drawn] = packed(html.unescape(shown))
    assert [(row["name"], row.get("end_cause")) for row in drawn["rows"]] == [("order", "unfinished"), ("pay", None)]
    assert drawn["rows"][0]["duration"] > drawn["rows"][1]["duration"]
    root.end()


def test_the_scripts_put_texts_into_a_page_as_texts_only():
    """No script uses what makes markup of a text."""
    for name in ("words.js", "details.js", "waterfall.js", "file.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", asset(name)
        ), name
