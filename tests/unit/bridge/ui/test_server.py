"""Who may ask the page's server, and what is answered: real sockets on loopback, a real store."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.pictures import shop
from tracebridge import Client
from tracebridge.errors import Misconfigured
from tracebridge.ids.identity import Identity
from tracebridge.plugins.adapter import Context, Looked
from tracebridge.reading.destination import Destination
from tracebridge.settings.model import TraceIdSettings
from tracebridge.ui import server as module
from tracebridge.ui.answers import Answers
from tracebridge.ui.server import UiServer
from tracebridge_adapters.store import StoreAdapter, StoreOptions

HOSTILE = "</script><b>\x1b[31m\u202e"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with two traces of one ID, and a hostile one."""
    path = tmp_path / "store.db"
    with Client(
        config={"adapters": {"store": {"path": str(path)}}, "resource": {"attributes": {"service.name": "shop"}}}
    ) as client:
        for number, trace_id in enumerate(("order-1", "order-2", HOSTILE)):
            root = client.start_trace(f"order {number}", trace_id=trace_id, start_time_ns=10**18 + number * 10**9)
            client.start_span("pay", root.trace_id, root.span_id, attributes={"card": HOSTILE}).end()
            root.end(end_time_ns=10**18 + number * 10**9 + 10**6)
    return path


@pytest.fixture
def server(store: Path) -> Iterator[UiServer]:
    """The server over the store, answering."""
    stores = {
        name: StoreAdapter(StoreOptions(path=str(path)), Context(name))
        for name, path in (("store", store), ("store/other", store.parent / "other.db"))
    }
    destinations = [Destination(name, adapter, adapter, "") for name, adapter in stores.items()]
    with UiServer(Answers(destinations, Identity(TraceIdSettings()))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
    for each in destinations:
        each.adapter.close()


def ask(server: UiServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request; `path` is what follows the token, or all of it when it begins with a slash."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    whole = path if path.startswith("/") else server.url.partition(f":{server.server_port}")[2] + path
    connection.request(method, whole, headers={key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    told = (answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    connection.close()
    return told


def told(server: UiServer, path: str):
    """The status and the JSON of an answer."""
    status, _, body = ask(server, path)
    return status, json.loads(body)


def test_it_listens_on_loopback_alone(server):
    """On no other address of this machine."""
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_the_page_and_its_parts_are_served_as_what_they_are(server):
    """HTML, scripts and style sheets; every script that the page names is there."""
    status, headers, body = ask(server, "")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = [part.split(b'"')[0].decode() for part in body.split(b'src="')[1:]]
    kinds = {name: ask(server, name)[1]["content-type"] for name in [*named, "app.css", "waterfall.css"]}
    assert kinds == dict.fromkeys(named, "text/javascript; charset=utf-8") | {"app.css": "text/css; charset=utf-8", "waterfall.css": "text/css; charset=utf-8"}  # fmt: skip
    assert len(named) == 7


@pytest.mark.parametrize(
    "path", ["/", "/page.html", "/wrong/", "/wrong/api/traces", "/once/wrong", "/%ff/", "/" + "x" * 60_000]
)
def test_without_the_token_nothing_is_told(server, path):
    """403 and one sentence, whatever is asked for."""
    status, _, body = ask(server, path)
    assert (status, body) == (403, b"Open the address that `tracebridge ui` printed.\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "localhost", "127.0.0.1.evil.example:{port}", ""]
)
def test_a_name_of_another_site_that_leads_here_is_told_nothing(server, host):
    """DNS rebinding: the right token does not help."""
    status, _, body = ask(server, "api/traces", Host=host.format(port=server.server_port))
    assert (status, b"order" in body) == (421, False)


def test_localhost_is_this_machine_too(server):
    """As people write it."""
    assert ask(server, "api/traces", Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize(
    "path", ["", "app.js", "api/traces", "api/trace?id=order-1", "api/nothing", "nothing", "../server.py", "/"]
)
def test_every_answer_forbids_what_a_page_of_another_could_do(server, path):
    """Scripts and requests of its own alone, no frame, no referrer, no guessing of types, nothing kept."""
    headers = ask(server, path)[1]
    assert {key: headers[key.lower()] for key in module._HEADERS} == module._HEADERS
    assert headers["server"] == "tracebridge"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_it_is_read_only(server, method):
    """Other methods than GET and HEAD are not there."""
    assert ask(server, "api/traces", method)[0] == 501


def test_head_is_answered_without_a_body(server):
    """With the headers that GET has."""
    (_, of_get, body), (status, of_head, nothing) = ask(server, "api/traces"), ask(server, "api/traces", "HEAD")
    assert (status, nothing, of_head["content-length"]) == (200, b"", str(len(body)))
    assert of_get["etag"] == of_head["etag"]


def test_the_list_has_one_row_a_trace_newest_first(server):
    """With what can be read, and the map."""
    assert told(server, "api/destinations") == (200, {"destinations": ["store", "store/other"]})
    status, answer = told(server, "api/traces?limit=2")
    assert (status, answer["from"], answer["more"]) == (200, "store", True)
    assert [(row["id"], row["name"], row["spans"], row["duration"]) for row in answer["traces"]] == [
        ("</script><b> [31m ", "order 2", 2, 1_000_000),
        ("order-2", "order 1", 2, 1_000_000),
    ]
    assert answer["map"]["services"] == [{"name": "shop", "spans": 4, "errors": 0}]


def test_filters_narrow_the_list(server):
    """As the address says."""
    assert [row["id"] for row in told(server, "api/traces?id=ORDER-1")[1]["traces"]] == ["order-1"]
    assert told(server, "api/traces?from=store/other")[1]["traces"] == []


def test_a_trace_is_found_by_its_own_id_and_by_its_wire_id(server):
    """In the first destination that has it."""
    status, by_own = told(server, "api/trace?id=order-1")
    assert (status, by_own["id"], by_own["from"], [row["name"] for row in by_own["rows"]]) == (
        200,
        "order-1",
        "store",
        ["order 0", "pay"],
    )
    assert told(server, f"api/trace?id={by_own['wire_id']}") == (200, by_own)
    assert told(server, "api/trace?id=order-1&from=store") == (200, by_own)


def test_a_trace_that_is_not_there_is_no_error(server):
    """It may come; what a part of an ID may mean is named, and one that means one trace alone is that trace."""
    assert told(server, "api/trace?id=order-1&from=store/other") == (200, {"near": [], "told": []})
    status, near = told(server, "api/trace?id=order-")
    assert (status, [(each["why"], each["from"]) for each in near["near"]]) == (200, [("part of the ID", "store")] * 2)
    assert told(server, "api/trace?id=der-2")[1]["id"] == "order-2"


def test_a_large_trace_is_read_again_only_when_spans_have_come(server, monkeypatch):
    """It is asked for every two seconds, and drawing it takes its time."""
    store = server.answers._destinations["store"].reader
    spans = shop(1_001)
    store.send(store.encode(spans[:-1]), 1_000)
    before = told(server, f"api/trace?id={spans[0].trace_id.hex()}")[1]
    store.send(store.encode(spans[-1:]), 1)
    after = told(server, f"api/trace?id={spans[0].trace_id.hex()}")[1]
    monkeypatch.setattr("tracebridge.ui.answers.picture", lambda *_, **__: 1 / 0)
    assert (before["spans"], after["spans"]) == (1_000, 1_001)
    assert told(server, f"api/trace?id={spans[0].trace_id.hex()}") == (200, after)


def test_a_search_that_takes_long_is_ended_and_says_how_far_it_came(server, monkeypatch):
    """The page can go on from there."""
    monkeypatch.setattr("tracebridge.ui.answers.SEARCH_S", -1.0)
    store = server.answers._destinations["store"].reader

    def stream(query, looked):
        yield from type(store).stream(store, query, looked)
        looked(Looked(3, 1_000_000_000))

    monkeypatch.setattr(store, "stream", stream)
    status, answer = told(server, "api/traces")
    assert (status, answer["more"], answer["stopped_ms"] is None) == (200, True, False)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("api/other", 404, "this answer does not exist"),
        ("api/trace", 400, "id: which trace is wanted?"),
        ("api/traces?from=other", 400, "from: 'other' is none of store, store/other"),
        ("api/traces?min=x", 400, "min: 'x' is not a number"),
        ("api/traces?" + "a=1&" * 200, 400, "Max number of fields exceeded"),
    ],
)
def test_what_is_wrong_is_said_in_words(server, path, status, said):
    """As JSON, with the fitting status."""
    assert told(server, path) == (status, {"error": said})


def test_no_answer_has_a_character_that_steers(server):
    """Names, values and IDs of a hostile trace; the JSON is printable as it stands."""
    for path in ("api/traces", "api/trace?id=%3C/script%3E%3Cb%3E%1B[31m%E2%80%AE"):
        status, _, body = ask(server, path)
        assert (status, body.decode().isprintable()) == (200, True)
        assert "\\u202e" not in body.decode()


def test_an_answer_that_the_browser_has_is_not_sent_again(server):
    """304 by its ETag; after a new span it is another."""
    tag = ask(server, "api/traces")[1]["etag"]
    assert [ask(server, "api/traces", If_None_Match=each)[0] for each in (tag, '"other"')] == [304, 200]


def test_a_destination_that_is_ill_is_told_in_its_own_words_without_secrets(server, monkeypatch):
    """502; the log has nothing of it."""

    def search(*_):
        raise Misconfigured("http://shop: no such token: Bearer abcdefgh12345678")

    monkeypatch.setattr(server.answers._destinations["store"].reader, "stream", search)
    assert told(server, "api/traces") == (502, {"error": "http://shop: no such token: Bearer ***"})


def test_a_mistake_of_ours_ends_one_answer_and_nothing_else(server, monkeypatch, caplog):
    """500, and the traceback in the log."""
    monkeypatch.setattr(server.answers._destinations["store"].reader, "stream", lambda *_: 1 / 0)
    assert told(server, "api/traces") == (500, {"error": "ZeroDivisionError: the log says more"})
    assert "ZeroDivisionError" in caplog.text
    assert told(server, "api/trace?id=order-1")[0] == 200


def test_an_address_for_a_browser_s_command_line_works_once(server):
    """Other users of the machine can read command lines."""
    path = server.once().partition(f":{server.server_port}")[2]
    status, headers, _ = ask(server, path)
    assert (status, headers["location"]) == (302, server.url)
    assert ask(server, path)[0] == 403


def test_connections_beyond_the_bound_are_told_to_come_again_and_the_others_are_served(server, monkeypatch):
    """No thread for each of any number of connections."""
    idle = []
    for _ in range(module.MAX_CONNECTIONS):
        idle.append(socket.create_connection(("127.0.0.1", server.server_port), timeout=60))
        idle[-1].sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode())
        assert idle[-1].recv(12) == b"HTTP/1.1 403"  # now a thread has it
    assert ask(server, "")[0] == 503
    idle.pop().close()
    while (status := ask(server, "")[0]) == 503:  # until the thread has seen it
        time.sleep(0.01)
    assert status == 200
    for each in idle:
        each.close()


@pytest.mark.parametrize("sent", [b"\r\n\r\n", b"hello\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe\x00\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n", b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"])  # fmt: skip
def test_what_is_no_request_is_refused_and_the_page_goes_on(server, sent):
    """No traceback, no hanging thread."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
    assert received[:5] in {b"", b"HTTP/"}
    assert b"order" not in received
    assert ask(server, "")[0] == 200


def test_no_request_is_logged(server, caplog, capfd):
    """Their addresses have the token."""
    ask(server, "")
    ask(server, "/wrong")
    assert (caplog.text, capfd.readouterr()) == ("", ("", ""))
