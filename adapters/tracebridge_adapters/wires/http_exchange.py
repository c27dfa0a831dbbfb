"""One HTTP exchange: a request, its whole answer within one time, and transport's failures in the adapter contract's words.

urllib3 does the protocol; here are the rules: redirects are never followed, so that no credential goes to another host; nothing is
retried, because that belongs to delivery; one deadline bounds the whole exchange even against a server that answers a byte a minute.
No message names a header or the user info of an address.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - what resolving a name imports; see `Adapter` for why it is imported here
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from tracebridge.errors import Misconfigured, Retryable
from tracebridge.masking.foreign import clean
from tracebridge.plugins.options import Secret
from tracebridge.plugins.proxies import proxy_to
from tracebridge.process.suppression import not_traced
from tracebridge.version import VERSION
from tracebridge_adapters.options import Access
from tracebridge_adapters.wires.credentials import MAX_QUOTED, secrets_of, with_authorization
from tracebridge_adapters.wires.refusals import refused_tunnel

if TYPE_CHECKING:
    import urllib3

_CHUNK = 16_384
_CONNECTION = re.compile(
    r"^(<[^>\s]*+ object at [^>]*+>|\w+\(host=[^)]*+\)): "
)  # urllib3's name of a connection, old and new


_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # http.client's words
PAGE_LOOK = 65_536  # bytes in which a web page has to begin: a comment with a licence may come first
_PROLOGUE = re.compile(
    rb"\A(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff|\s|<\?(?:(?!\?>).)*+\?>|<!--(?:(?!-->).)*+-->)*+", re.DOTALL
)
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a server said, whatever its status."""

    status: int
    content_type: str
    """In lower case, without parameters."""
    retry_after: str | None
    body: bytes

    @property
    def is_page(self) -> bool:
        """Whether it is a web page: no system that takes or gives spans answers with one."""
        if self.body and self.content_type in {"text/html", "application/xhtml+xml"}:
            return True
        text = self.body[:PAGE_LOOK].replace(b"\0", b"")  # UTF-16 has them
        return _PROLOGUE.sub(b"", text, count=1).lower().startswith(_PAGES)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def quoted(self, words: str | None = None) -> str:
        """Return what a message may quote of it: `: words`, or nothing. The words are its text unless its format has them elsewhere."""
        if self.is_page:
            return ""
        text = self.without_secrets(self.text if words is None else words)
        return f": {text}" if text else ""

    @property
    def doubt(self) -> str:
        """What speaks against a success whose words are none of the protocol's."""
        return f"it answered {self.status}{self.quoted()}"

    def without_secrets(self, text: str) -> str:
        """Return words of the server as a message may quote them."""
        return clean(text, MAX_QUOTED)


class HttpExchange:
    """Connections to one server, for one purpose. Safe from several threads, each with a connection of its own.

    Building does no network. The headers of `access` go with every request; user info in `url` becomes basic authentication. Raises ConfigError for a proxy of the environment that cannot be used.
    """

    def __init__(
        self,
        url: str,
        access: Access,
        *,
        max_answer: int,
        max_connections: int = 1,
    ) -> None:
        from tracebridge_adapters.wires.bounded import BoundedPoolManager, BoundedProxyManager

        self.shown_url = without_user_info(url)
        self._url = _without_user_info_at_all(url)
        self._proxy = proxy_to(url, access.proxy)
        self._timeout_s = access.timeout_s
        self._max_answer = max_answer
        sent = with_authorization(access.headers, url)
        self._secrets = secrets_of(sent, url, self._proxy)
        self._headers = {
            "User-Agent": f"tracebridge/{VERSION}",
            "b3": "0",  # do not trace the tracer
            **{key: value.reveal() if isinstance(value, Secret) else value for key, value in sent.items()},
        }
        options: dict[str, Any] = {
            "maxsize": max_connections,
            "cert_reqs": "CERT_NONE" if access.tls.insecure_skip_verify else "CERT_REQUIRED",
            "ca_certs": _expanded(access.tls.ca_file),
            "cert_file": _expanded(access.tls.cert_file),
            "key_file": _expanded(access.tls.key_file),
        }
        self._pool = BoundedProxyManager(self._proxy, **options) if self._proxy else BoundedPoolManager(**options)

    def request(
        self, method: str, suffix: str = "", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Make one request to the address with this suffix, and these headers more, and return the answer, whatever it says.

        Raises Retryable or Misconfigured; blocks at most the timeout (and one connection attempt).
        """
        import urllib3

        from tracebridge_adapters.wires.bounded import SwitchedError

        deadline = time.monotonic() + self._timeout_s
        try:
            with _unnoticed():
                answer = self._pool.request(
                    method,
                    self._url + suffix,
                    body=body,
                    headers={**self._headers, **headers} if headers else self._headers,
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
        except urllib3.exceptions.ProxyError as error:
            raise self._not_let_through(error) from error
        except urllib3.exceptions.SSLError as error:
            raise Misconfigured(
                f"{self.shown_url}: TLS failed: {self._reason(error)}; check the scheme and tls.ca_file"
            ) from error
        except urllib3.exceptions.LocationValueError as error:
            raise Misconfigured(
                f"{self.shown_url}: not an address that can be reached: {self._reason(error)}"
            ) from error
        except urllib3.exceptions.ReadTimeoutError as error:
            raise Retryable(f"{self.shown_url}: the answer took longer than {self._timeout_s:g}s") from error
        except urllib3.exceptions.ProtocolError as error:
            said = f"{self.shown_url}: {self._reason(error)}"
            if error.args and isinstance(error.args[-1], SwitchedError):
                raise Misconfigured(f"{said}; is this the right port?") from error
            raise Retryable(said) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Retryable(f"{self.shown_url}: {self._reason(error)}") from error
        content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return HttpAnswer(answer.status, content_type, answer.headers.get("Retry-After"), content)

    def _not_let_through(self, error: urllib3.exceptions.ProxyError) -> Retryable | Misconfigured:
        """Return what it means that there is no proxy, or that it opens no tunnel."""
        said = f"{self.shown_url}: the proxy {self._proxy}: {self._reason(error.original_error)}"
        refused = _REFUSED_TUNNEL.search(str(error.original_error))
        return Retryable(said) if refused is None else refused_tunnel(said, int(refused[1]))

    def _read(self, answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        content = bytearray()
        while chunk := answer.read1(_CHUNK) if hasattr(answer, "read1") else answer.read(_CHUNK):
            content += chunk
            if len(content) > self._max_answer:
                raise Misconfigured(
                    f"{self.shown_url}: an answer of more than {self._max_answer} bytes; is this the right port and path?"
                )
            if time.monotonic() > deadline:
                raise Retryable(f"{self.shown_url}: the answer took longer than {self._timeout_s:g}s")
        return bytes(content)

    def _reason(self, error: BaseException) -> str:
        """Say what went wrong in a line, without urllib3's object names, and without the secrets of a server that is something else and echoes."""
        import urllib3

        while (
            isinstance(error, urllib3.exceptions.ProtocolError)
            and error.args
            and isinstance(error.args[-1], BaseException)
        ):
            error = error.args[-1]
        return clean(_CONNECTION.sub("", str(error)), MAX_QUOTED) or type(error).__name__

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def _expanded(path: str | None) -> str | None:
    return None if path is None else str(Path(path).expanduser())


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


_ours = threading.local()


def _not_ours(_: logging.LogRecord) -> bool:
    return not getattr(_ours, "request", False)


@contextlib.contextmanager
def _unnoticed() -> Iterator[None]:
    """Keep our own requests out of the application's traces and debug log: urllib3 logs addresses with their query, which may be a secret."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_not_ours)  # the same filter is added once only
    _ours.request = True
    try:
        with not_traced():
            yield
    finally:
        _ours.request = False
