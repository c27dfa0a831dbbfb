"""Credentials that change while spans are delivered: used from the next batch on, and nothing is lost or sent twice."""

from __future__ import annotations

import gzip
import http.server
import json
import logging
import os
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.http_server import LocalServer
from tracebridge import Client
from tracebridge.delivery.renewal import Renewal
from tracebridge.plugins.adapter import Sent

trustme = pytest.importorskip("trustme", reason="pip install -e '.[test]' brings it")


class Guarded:
    """A server of OTLP JSON that takes what comes with the token of the moment, and answers 401 to anything else."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.token = "first"
        self.arrived: Counter[str] = Counter()
        self.refused = 0
        self.subjects: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.take(self)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        class Server(LocalServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A handshake that failed is what a test asks for."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if isinstance(handler.connection, ssl.SSLSocket):
            certificate: Any = handler.connection.getpeercert()
            self.subjects.append(dict(pair for (pair,) in certificate["subject"])["organizationalUnitName"])
        welcome = handler.headers["authorization"] == f"Bearer {self.token}"
        if welcome:
            spans = json.loads(gzip.decompress(body))["resourceSpans"][0]["scopeSpans"][0]["spans"]
            self.arrived.update(span["name"] for span in spans)
        self.refused += not welcome
        handler.send_response(200 if welcome else 401)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Guarded]:
    """The destination."""
    running = Guarded()
    yield running
    running.stop()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at before each batch."""
    monkeypatch.setattr("tracebridge.delivery.renewal.LOOK_EVERY_S", 0.0)


def replace(path: Path, text: str) -> None:
    """Write a file as orchestrators do: whole, by a rename."""
    partial = path.with_suffix(".new")
    partial.write_text(text)
    partial.replace(path)


def config_of(tmp_path: Path, url: str, tls: str = "") -> str:
    """A configuration whose token stands in the file `token`."""
    (tmp_path / "token").write_text("first\n")
    path = tmp_path / "bridge.yaml"
    path.write_text(f"""
adapters:
  otlp_http:
    endpoint: {url}
    encoding: json
    headers: {{authorization: "Bearer ${{file:{tmp_path}/token}}"}}
    sending_queue: {{flush_interval: 0s, max_batch: 10}}
    retry_on_failure: {{initial_interval: 20ms, max_interval: 50ms}}
    {tls}
""")
    return str(path)


def traced(client: Client, *names: str) -> None:
    """Trace some roots, and wait until they are delivered."""
    for name in names:
        client.start_trace(name).end()
    assert client.flush(60)


@pytest.mark.usefixtures("at_once")
def test_a_token_that_is_replaced_is_used_from_the_next_batch_on(tmp_path, server, caplog):
    """No batch is refused, because the file was looked at before it was sent; and that is said, without the token."""
    with (
        caplog.at_level(logging.INFO, "tracebridge.delivery"),
        Client(config=config_of(tmp_path, f"http://127.0.0.1:{server.port}")) as client,
    ):
        traced(client, "before")
        server.token = "s3cond-token"
        replace(tmp_path / "token", "s3cond-token\n")
        traced(client, "after")
    assert (server.arrived, server.refused) == ({"before": 1, "after": 1}, 0)
    assert "s3cond-token" not in caplog.text


def test_a_server_that_refuses_the_old_token_gets_the_new_one_at_once(tmp_path, server, monkeypatch):
    """The file has changed since it was looked at: the same batch goes again, and no pause is made."""
    monkeypatch.setattr("tracebridge.delivery.renewal.LOOK_EVERY_S", 3600.0)
    with Client(config=config_of(tmp_path, f"http://127.0.0.1:{server.port}")) as client:
        traced(client, "before")
        server.token = "second"
        replace(tmp_path / "token", "second")
        traced(client, "after")
        stats = client.stats().adapters["otlp_http"]
    assert (server.arrived, server.refused, stats.last_error) == ({"before": 1, "after": 1}, 1, "")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "broken",
    [b"", b"two\nlines\n", b"\xff\xfe\x00", b"/", None],
    ids=["empty", "two lines", "no text", "a folder", "missing"],
)
def test_a_file_that_is_replaced_half_way_leaves_the_old_token_in_use(tmp_path, server, caplog, broken):
    """Told once; when it is whole, it is used."""
    with Client(config=config_of(tmp_path, f"http://127.0.0.1:{server.port}")) as client:
        (tmp_path / "token").unlink()
        if broken == b"/":  # which is not readable, whoever asks
            (tmp_path / "token").mkdir()
        elif broken is not None:
            (tmp_path / "token").write_bytes(broken)
        traced(client, "still")
        traced(client, "and still")
        server.token = "second"
        if broken == b"/":
            (tmp_path / "token").rmdir()
        replace(tmp_path / "token", "second")
        traced(client, "after")
    assert (server.arrived, server.refused) == ({"still": 1, "and still": 1, "after": 1}, 0)
    assert [record.getMessage().split(":")[:2] for record in caplog.records] == [
        ["otlp_http", " the changed credentials cannot be used, and the old ones stay"]
    ]


@pytest.mark.usefixtures("at_once")
def test_a_token_of_the_same_length_that_is_written_in_place_with_an_older_time_is_seen(tmp_path, server):
    """As `rsync --inplace --times` leaves it, or a clock that was set back."""
    with Client(config=config_of(tmp_path, f"http://127.0.0.1:{server.port}")) as client:
        traced(client, "before")
        before = (tmp_path / "token").stat()
        server.token = "other"
        with (tmp_path / "token").open("r+") as file:
            file.write("other\n")
        os.utime(tmp_path / "token", ns=(before.st_atime_ns, before.st_mtime_ns))
        traced(client, "after")
    assert (server.arrived, server.refused) == ({"before": 1, "after": 1}, 0)


@pytest.mark.usefixtures("at_once")
def test_rotations_under_load_lose_and_double_nothing(tmp_path, server):
    """Four threads trace while the token changes five times, as Kubernetes changes it: by a link to another folder."""
    link = tmp_path / "..data"
    versions = [tmp_path / f"v{number}" for number in range(6)]
    for number, folder in enumerate(versions):
        folder.mkdir()
        (folder / "token").write_text("first" if not number else f"token-{number}")
    link.symlink_to(versions[0])
    config = config_of(tmp_path, f"http://127.0.0.1:{server.port}")
    (tmp_path / "token").unlink()
    (tmp_path / "token").symlink_to(link / "token")
    stop = threading.Event()
    started: Counter[str] = Counter()

    def work(worker: int) -> None:
        number = 0
        while not stop.is_set():
            client.start_trace(f"{worker}-{number}").end()
            started[f"{worker}-{number}"] = 1
            number += 1
            time.sleep(0.01)

    with Client(config=config) as client:
        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for number in range(1, 6):
            seen = sum(server.arrived.values())
            wait_until(lambda seen=seen: sum(server.arrived.values()) > seen + 10)  # type: ignore[misc]
            server.token = f"token-{number}"
            (tmp_path / "..new").symlink_to(versions[number])
            (tmp_path / "..new").replace(link)
        stop.set()
        for thread in threads:
            thread.join()
        assert client.flush(60)
    assert server.arrived == started


def test_a_client_certificate_is_renewed_in_place(tmp_path):
    """New connections show the new one; its key is replaced a moment after it, and that moment costs nothing."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Guarded(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def issue(unit: str) -> tuple[bytes, bytes]:
        made = authority.issue_cert("client.test", organization_unit_name=unit)
        return made.private_key_pem.bytes(), made.cert_chain_pems[0].bytes()

    def put(key: bytes, certificate: bytes, between: Callable[[], None] = lambda: None) -> None:
        (tmp_path / "client.pem").write_bytes(certificate)
        between()
        (tmp_path / "client.key").write_bytes(key)

    put(*issue("old"))
    tls = f"tls: {{ca_file: {tmp_path}/ca.pem, cert_file: {tmp_path}/client.pem, key_file: {tmp_path}/client.key}}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracebridge.delivery.renewal.LOOK_EVERY_S", 0.0)
        with Client(config=config_of(tmp_path, f"https://127.0.0.1:{server.port}", tls)) as client:
            traced(client, "before")
            put(*issue("new"), between=lambda: traced(client, "between"))
            traced(client, "after")
    server.stop()
    assert server.arrived == {"before": 1, "between": 1, "after": 1}
    assert (server.subjects[0], server.subjects[-1]) == ("old", "new")


def test_an_adapter_that_has_been_replaced_is_closed_when_its_last_user_has_gone(tmp_path, monkeypatch):
    """Not under the hands of a worker that is in the middle of a send."""
    monkeypatch.setattr("tracebridge.delivery.renewal.LOOK_EVERY_S", 0.0)

    class Noting:
        def __init__(self) -> None:
            self.closed = 0

        def send(self, body: bytes, spans: int) -> Sent:
            return Sent()

        def close(self) -> None:
            self.closed += 1

    path = tmp_path / "token"
    path.write_text("a")
    old: Any = Noting()
    new: Any = Noting()
    renewal = Renewal("x", old, [str(path)], lambda: new)
    with renewal.adapter() as first:
        replace(path, "bb")
        with renewal.adapter() as second:
            pass
        while_in_use = old.closed
    assert (first, second, while_in_use, old.closed, new.closed) == (old, new, 0, 1, 0)


def wait_until(done: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_destinations_without_files_have_nothing_to_look_at():
    """Most have no credentials in files: no file is looked at for them."""
    with Client(config={"adapters": {"memory": {}}}) as client:
        assert client._parts.deliveries["memory"]._renewal is None
