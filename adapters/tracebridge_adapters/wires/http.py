"""Bytes over HTTP: one POST, its answer judged by the adapter contract's table.

urllib3 does the protocol; here are the rules: redirects are never followed, retries belong to delivery, and one deadline
bounds the whole exchange even against a server that answers a byte a minute. No message names a header or the
user info of an address.
"""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import urllib3

from tracebridge.errors import Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.settings.options import Secret, TlsOptions
from tracebridge_adapters.wires.bounded import BoundedPoolManager

MAX_ANSWER = 2**20  # bytes of an answer that are read
MAX_QUOTED = 500  # characters of an answer that a message quotes
GZIP_LEVEL = 4  # two thirds of level 9's saving at a quarter of its time
_CHUNK = 16_384

RETRYABLE = {429, 502, 503, 504}
MISCONFIGURED = {401, 403, 404, 405, 406, 407, 415, 421, 426}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A 2xx answer."""

    status: int
    content_type: str
    body: bytes


class HttpWire:
    """POSTs bodies to one address. Safe from several threads, each with a connection of its own.

    `on_500` says what a 500 means: `retry_bounded` (Zipkin: its storage failed) or `reject` (OTLP forbids a retry).
    Building does no network. Raises ValueError when a TLS file cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str | Secret],
        timeout_s: float,
        compression: Literal["gzip", "none"],
        tls: TlsOptions,
        content_type: str,
        on_500: Literal["retry_bounded", "reject"],
        max_connections: int = 1,
    ) -> None:
        self._url = url
        self.shown_url = without_user_info(url)
        self._timeout_s = timeout_s
        self._gzip = compression == "gzip"
        self._on_500 = on_500
        self._headers = {
            "User-Agent": f"tracebridge/{version('tracebridge')}",
            "Content-Type": content_type,
            "b3": "0",  # do not trace the tracer
            **{key: value.reveal() if isinstance(value, Secret) else value for key, value in headers.items()},
        }
        if self._gzip:
            self._headers["Content-Encoding"] = "gzip"
        parts = urlsplit(url)
        if parts.username is not None and "authorization" not in {key.lower() for key in headers}:
            self._headers.update(urllib3.make_headers(basic_auth=f"{parts.username}:{parts.password or ''}"))
        self._url = _without_user_info_at_all(url)
        self._pool = BoundedPoolManager(
            maxsize=max_connections,
            cert_reqs="CERT_NONE" if tls.insecure_skip_verify else "CERT_REQUIRED",
            ca_certs=tls.ca_file,
            cert_file=tls.cert_file,
            key_file=tls.key_file,
        )

    def post(self, body: bytes) -> HttpAnswer:
        """Send one body and return the 2xx answer.

        Raises Retryable, Rejected, TooLarge or Misconfigured; blocks at most `timeout_s` (and one connection attempt).
        """
        deadline = time.monotonic() + self._timeout_s
        data = gzip.compress(body, GZIP_LEVEL, mtime=0) if self._gzip else body
        try:
            with _not_traced():
                answer = self._pool.request(
                    "POST",
                    self._url,
                    body=data,
                    headers=self._headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=urllib3.Timeout(total=self._timeout_s),
                )
                try:
                    content = self._read(answer, deadline)
                except BaseException:
                    answer.close()
                    raise
                answer.release_conn()
        except urllib3.exceptions.SSLError as error:
            raise Misconfigured(
                f"{self.shown_url}: TLS failed: {_reason(error)}; check the scheme and tls.ca_file"
            ) from error
        except urllib3.exceptions.LocationValueError as error:
            raise Misconfigured(f"{self.shown_url}: not an address that can be reached: {error}") from error
        except urllib3.exceptions.ReadTimeoutError as error:
            raise Retryable(f"{self.shown_url}: the answer took longer than {self._timeout_s:g}s") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Retryable(f"{self.shown_url}: {_reason(error)}") from error
        self._judge(answer, content)
        return HttpAnswer(
            answer.status, answer.headers.get("Content-Type", "").partition(";")[0].strip().lower(), content
        )

    def _read(self, answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        content = bytearray()
        while chunk := answer.read1(_CHUNK) if hasattr(answer, "read1") else answer.read(_CHUNK):
            content += chunk
            if len(content) > MAX_ANSWER:
                raise Retryable(f"{self.shown_url}: an answer of more than {MAX_ANSWER} bytes", bounded=True)
            if time.monotonic() > deadline:
                raise Retryable(f"{self.shown_url}: the answer took longer than {self._timeout_s:g}s")
        return bytes(content)

    def _judge(self, answer: urllib3.BaseHTTPResponse, content: bytes) -> None:
        status = answer.status
        is_page = content[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")) or (
            bool(content) and answer.headers.get("Content-Type", "").lower().startswith("text/html")
        )
        if 200 <= status < 300:
            if is_page:
                raise Misconfigured(
                    f"{self.shown_url}: answered {status} with a web page; is this the right port and path?"
                )
            return
        said = f"{self.shown_url}: HTTP {status}" + ("" if is_page else _quote(content))
        if status in RETRYABLE:
            raise Retryable(said, after_s=retry_after_s(answer.headers.get("Retry-After")))
        if status == 413:
            raise TooLarge(said)
        if 300 <= status < 400:
            raise Misconfigured(f"{said}; it redirects elsewhere, which is not followed; name the final address")
        if status in MISCONFIGURED:
            hint = {
                401: "; check the credentials",
                403: "; check the credentials",
                404: "; check the path",
                415: "; check the encoding",
            }
            raise Misconfigured(said + hint.get(status, "; is this the right port and path?"))
        if status >= 500 and (status != 500 or self._on_500 == "retry_bounded"):
            raise Retryable(said, bounded=True)
        raise Rejected(said)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def retry_after_s(text: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as an HTTP date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def without_user_info(url: str) -> str:
    """Return an address as it may be shown: without user, password and query.

    >>> without_user_info("https://me:secret@host:1/path?key=1")
    'https://host:1/path'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _without_user_info_at_all(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _reason(error: BaseException) -> str:
    """Say what went wrong in a line, without urllib3's object names."""
    while (
        isinstance(error, urllib3.exceptions.ProtocolError) and error.args and isinstance(error.args[-1], BaseException)
    ):
        error = error.args[-1]
    text = str(error).rpartition("object at")[2].partition(">: ")[2] or str(error)
    return " ".join(text.split())[:MAX_QUOTED] or type(error).__name__


def _quote(content: bytes) -> str:
    text = " ".join(content[: 4 * MAX_QUOTED].decode("utf-8", "replace").split())[:MAX_QUOTED]
    return f": {text}" if text else ""


@contextlib.contextmanager
def _not_traced() -> Iterator[None]:
    """Tell OpenTelemetry's instrumentation, when it is there, to leave our own requests alone."""
    module = sys.modules.get("opentelemetry.context")
    if module is None:
        yield
        return
    token = module.attach(module.set_value(module._SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        module.detach(token)
