"""Credentials stay where they belong: real TLS servers, redirects, hostile files, canaries in every option and every failure."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import ssl
import stat
import time
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest

from support.cases import Build
from support.commands import CliRunner
from support.plain_server import Answer, PlainServer
from tracebridge import Client, ConfigError
from tracebridge.cli import main
from tracebridge.errors import DeliveryError, Misconfigured
from tracebridge.plugins.adapter import Context, reader_of
from tracebridge.plugins.options import Secret
from tracebridge.plugins.registry import adapter_class, known_adapters
from tracebridge.settings.load import load_settings
from tracebridge.settings.reader import hints_of, keys_of

trustme = pytest.importorskip("trustme", reason="pip install -e '.[test]' brings it")
CANARY = "c4n4ry-Zq9"
RECORDS = [Build("security").span("s")]


@pytest.fixture
def serve() -> Iterator[Callable[..., PlainServer]]:
    """Start servers that are stopped afterwards."""
    with ExitStack() as stack:

        def start(*args: Any, **options: Any) -> PlainServer:
            server = PlainServer(*args, **options)
            stack.callback(server.stop)
            return server

        yield start


def send(adapters: dict[str, Any]) -> None:
    """Send one span through the first adapter, as delivery does."""
    settings = load_settings({"adapters": adapters}, environ={})
    chosen = next(iter(settings.adapters.values()))
    adapter: Any = adapter_class(chosen.type)(chosen.options, Context(chosen.name))
    try:
        adapter.send(adapter.encode(RECORDS), 1)
        reader = reader_of(adapter)
        if reader is not None:
            reader.get(RECORDS[0].trace_id)
    finally:
        adapter.close()


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> Any:
    """An authority of our own."""
    return trustme.CA()


@pytest.fixture
def files(authority: Any, tmp_path: Path) -> dict[str, str]:
    """Its certificate, and a client's certificate and key, as files."""
    client = authority.issue_cert("client@example.com")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    return {
        "ca_file": str(tmp_path / "ca.pem"),
        "cert_file": str(tmp_path / "client.pem"),
        "key_file": str(tmp_path / "client.key"),
    }


def secured(authority: Any, *, asks: bool = False) -> ssl.SSLContext:
    """A server's side of TLS; `asks` for a client certificate of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context


@pytest.mark.parametrize("kind", ["otlp_http", "zipkin"])
def test_verification_is_on_unless_it_is_switched_off(
    serve: Any, authority: Any, files: dict[str, str], kind: str
) -> None:
    """An unknown authority is refused before anything is sent; named in ca_file it is accepted; so it is for reading."""
    server = serve(tls=secured(authority))
    endpoint = {"endpoint": server.url, "headers": {"authorization": CANARY}}
    with pytest.raises(Misconfigured, match="TLS failed"):
        send({kind: endpoint})
    assert server.requests == []
    send({kind: {**endpoint, "tls": {"ca_file": files["ca_file"]}}})
    send({kind: {**endpoint, "tls": {"insecure_skip_verify": True}}})
    assert [request[2]["authorization"] for request in server.requests] == [CANARY, CANARY]
    with pytest.raises(Misconfigured, match="TLS failed"):
        send({kind: {"endpoint": serve().url, "query_endpoint": server.url}})


def test_a_client_certificate_is_shown_to_a_server_that_asks(serve: Any, authority: Any, files: dict[str, str]) -> None:
    """With certificate and key it takes the span; without, it takes nothing."""
    server = serve(tls=secured(authority, asks=True))
    with pytest.raises(DeliveryError):
        send({"otlp_http": {"endpoint": server.url, "tls": {"ca_file": files["ca_file"]}}})
    assert server.requests == []
    send({"otlp_http": {"endpoint": server.url, "tls": files}})
    assert len(server.requests) == 1


# ---------------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_credentials_or_spans_elsewhere(serve: Any, status: int) -> None:
    """Not to another host, and not to another port: the redirect is an error that names itself."""
    elsewhere = serve()
    here = serve(Answer(status, headers={"Location": elsewhere.url.replace("localhost", "127.0.0.1") + "/v1/traces"}))
    for kind in ("otlp_http", "zipkin"):
        with pytest.raises(Misconfigured, match="redirects elsewhere, which is not followed"):
            send({kind: {"endpoint": here.url, "headers": {"authorization": CANARY, "cookie": CANARY}}})
    with pytest.raises(Misconfigured, match=str(status)):
        send(
            {
                "zipkin": {
                    "endpoint": serve(Answer(202)).url,
                    "query_endpoint": here.url,
                    "headers": {"authorization": CANARY},
                }
            }
        )
    assert elsewhere.requests == []


# ---------------------------------------------------------------------- canaries


def paths_of(options: type[Any], *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every option of a class with its annotation, nested ones too."""
    for key in keys_of(options):
        hint = hints_of(options)[key]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            yield from paths_of(hint, *above, key)
        else:
            yield (*above, key), hint


def nested(path: tuple[str, ...], value: Any) -> Any:
    """A value under the keys of a path."""
    for key in reversed(path):
        value = {key: value}
    return value


EVERY_OPTION = [(kind, path, hint) for kind in known_adapters() for path, hint in paths_of(adapter_class(kind).Options)]


@pytest.mark.parametrize(
    ("kind", "path", "hint"), EVERY_OPTION, ids=lambda each: ".".join(each) if isinstance(each, tuple) else None
)
def test_a_secret_from_the_environment_is_in_no_report_whatever_option_it_lands_in(
    kind: str, path: tuple[str, ...], hint: Any, tmp_path: Path
) -> None:
    """In every option of every adapter, as itself and within a list and a mapping: no report of a mistake elsewhere shows it."""
    for value in ("${SECRET}", ["${SECRET}"], {"a": "${SECRET}"}, "x ${SECRET}"):
        options = nested(path, value)
        (tmp_path / "bridge.yaml").write_text(json.dumps({"adapters": {kind: {**options, "nonsense": 1}}}, indent=1))
        with pytest.raises(ConfigError) as caught:
            load_settings(tmp_path / "bridge.yaml", environ={"SECRET": CANARY})
        error = caught.value
        shown = [str(error), repr(error), repr([problem.as_json() for problem in error.problems])]
        assert [text for text in shown if CANARY in text] == []
        assert error.__cause__ is None


def secret_options() -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """The options that hold secrets by their type, and whether under keys."""
    for kind, path, hint in EVERY_OPTION:
        parts = [hint, *get_args(hint)] if get_origin(hint) in {dict, list, Union, types.UnionType} else [hint]
        if Secret in parts:
            yield kind, path, get_origin(hint) is dict


@pytest.mark.parametrize(
    ("kind", "path", "mapping"),
    list(secret_options()),
    ids=lambda each: ".".join(each) if isinstance(each, tuple) else each,
)
@pytest.mark.parametrize(
    "failure", [Answer(401, body=f"no such token {CANARY}".encode()), Answer(400, body=f"bad: Bearer {CANARY}".encode()), Answer(404), Answer(500), Answer(200, "text/html", b"<html>"), Answer(302, headers={"Location": "/"}), None],
    ids=["401", "400", "404", "500", "page", "redirect", "refused"],
)  # fmt: skip
def test_no_failure_shows_a_secret(
    serve: Any, kind: str, path: tuple[str, ...], mapping: bool, failure: Answer | None, caplog: Any
) -> None:
    """In a header and in the address: no message, statistic, repr, log line or finding of doctor has it."""
    caplog.set_level(logging.DEBUG)
    url = "http://localhost:9" if failure is None else serve(failure).url
    address = url.replace("http://", f"http://user:{CANARY}@") + f"/x?key={CANARY}"
    secret = {"authorization": CANARY, "x-api-key": CANARY} if mapping else CANARY
    options = {"endpoint": address, **nested(path, secret)}
    if kind == "otlp_grpc":
        options |= {"endpoint": address.partition("?")[0], "timeout": "400ms"}
    elif kind == "mlflow":
        options |= {"endpoint": address.partition("?")[0]}  # a base address
    elif kind == "kafka":
        pytest.importorskip("confluent_kafka")  # there is no wheel for Python 3.15 yet
        account = {"username": "user", "password": CANARY}
        options = {"brokers": [url.removeprefix("http://")], "sasl": account, "timeout": "400ms"}
    assert_no_canary(kind, options, caplog)


def assert_no_canary(kind: str, options: dict[str, Any], caplog: Any) -> None:
    """Whatever the program and doctor tell of one destination has no secret."""
    config = {
        "adapters": {kind: {**options, "sending_queue": {"flush_interval": "0s"}}},
        "lifecycle": {"shutdown_timeout": "0s"},
    }
    with Client(config=config) as client:
        client.start_trace("t").end()
        client.flush(0.5 if kind == "otlp_grpc" else 0.2)
        told = (
            repr(client.stats()) + repr(client.stats().to_dict()) + repr(client.dead_letters()) + repr(client._settings)
        )
    assert CANARY not in told + caplog.text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracebridge.doctor.examine.STEP_TIMEOUT_S", 1.0)
        from tracebridge.doctor.examine import examine

        settings = load_settings(config, environ={})
        outcome = examine(next(iter(settings.adapters.values())), settings, read_back_s=0.1)
    assert CANARY not in repr(outcome) + repr(outcome.as_json())


@pytest.mark.parametrize("kind", sorted({kind for kind, path, _ in EVERY_OPTION if path == ("proxy",)}))
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("given", "status"), [("named", 400), ("environment", 407), ("environment", None)])
def test_no_failure_shows_a_proxys_password(
    serve: Any, kind: str, scheme: str, given: str, status: int | None, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when the proxy is not there nor when it repeats it in its answer."""
    caplog.set_level(logging.DEBUG)
    proxy = (
        "http://localhost:9"
        if status is None
        else serve(Answer(status, "text/plain", body=f"user {CANARY} is unknown".encode())).url
    )
    address = proxy.replace("http://", f"http://user:{CANARY}@")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    option = address if given == "named" else "environment"
    assert_no_canary(kind, {"endpoint": f"{scheme}://traces.invalid", "proxy": option, "timeout": "400ms"}, caplog)


@pytest.mark.parametrize("key", ["endpoint", "proxy"])
def test_an_addresss_password_is_masked_in_the_effective_configuration(key: str, tmp_path: Path) -> None:
    """In every form of the report; the host stays."""
    path = tmp_path / "bridge.yaml"
    path.write_text(json.dumps({"adapters": {"zipkin": {key: f"http://user:{CANARY}@gateway:9411"}}}))
    for form in ([], ["--json"]):
        result = CliRunner().invoke(main, ["validate", str(path), "--print-effective", *form])
        assert (result.exit_code, "***@gateway:9411" in result.stdout, CANARY in result.stdout + result.stderr) == (
            0,
            True,
            False,
        )


# ---------------------------------------------------------------------- hostile files, and what is written


def test_a_billion_laughs_are_refused_at_once(tmp_path: Path) -> None:
    """By the command, with its name, and not after ten billion of them."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (tmp_path / "bridge.yaml").write_text("\n".join(lines))
    started = time.perf_counter()
    result = CliRunner().invoke(main, ["validate", str(tmp_path / "bridge.yaml")])
    assert (result.exit_code, "[too-large]" in result.stderr) == (78, True)
    assert time.perf_counter() - started < 30


def test_only_what_is_named_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class in the file is imported when its adapter is built, and not to validate the file."""
    (tmp_path / "vendor_of_ill_repute.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {"adapters": {"memory": {}, "otel_exporter": {"class": "vendor_of_ill_repute:Exporter"}}}
    assert list(load_settings(config, environ={}).adapters) == ["memory", "otel_exporter"]


def test_everything_that_is_written_is_the_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask: files 0600, folders 0700."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0)
    try:
        config = {
            "journal": {"directory": "journal"},
            "adapters": {
                "store": {"path": "store.db"}, "otlp_file": {"path": "otlp.jsonl"}, "zipkin_file": {"path": "zipkin.jsonl"},
                "log": {"stream": "file", "path": "spans.log"},
            },
        }  # fmt: skip
        with Client(config=config) as client:
            client.start_trace("t").end()
            assert client.flush(60)
            assert CliRunner().invoke(main, ["init", "zipkin"]).exit_code == 0
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    finally:
        os.umask(before)
    assert {"store.db", "otlp.jsonl", "zipkin.jsonl", "spans.log", "bridge.yaml"} <= {path.name for path in modes}
    assert {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
