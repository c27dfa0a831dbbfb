"""Bytes over HTTP: one POST, its answer judged by the adapter contract's table."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Mapping
from typing import Literal

from tracebridge.errors import Ambiguous, DeliveryError, Misconfigured, Rejected, Retryable, TooLarge
from tracebridge_adapters.options import Access
from tracebridge_adapters.wires.compression import gzipped
from tracebridge_adapters.wires.http_exchange import HttpAnswer, HttpExchange
from tracebridge_adapters.wires.refusals import PROXY_CREDENTIALS

MAX_ANSWER = 2**20  # bytes of an answer that are read
RETRYABLE = {429, 502, 503, 504}
MISCONFIGURED = {
    401: "check the credentials",
    403: "check the credentials",
    404: "check the path",
    405: "is this the right port and path?",
    406: "is this the right port and path?",
    407: PROXY_CREDENTIALS,
    415: "check the encoding",
    421: "is this the right port and path?",
    426: "is this the right port and path?",
}


class HttpWire:
    """POSTs bodies to one address. Safe from several threads, each with a connection of its own.

    `on_500` says what a 500 means: `ambiguous` (Zipkin and Thrift: a Collector says so for a full queue as for a span that it does not
    take) or `reject` (OTLP forbids a retry). `words_of` finds the words in a body and its content type, None where its text is all there is.
    Building does no network.
    """

    def __init__(
        self,
        url: str,
        access: Access,
        *,
        compression: Literal["gzip", "none"],
        content_type: str,
        on_500: Literal["ambiguous", "reject"],
        words_of: Callable[[bytes, str], str | None] | None = None,
        max_connections: int = 1,
    ) -> None:
        self._words_of = words_of
        self._gzip = compression == "gzip"
        self._on_500 = on_500
        coding = {"Content-Encoding": "gzip"} if self._gzip else {}
        sent = {"Content-Type": content_type, **access.headers, **coding}
        self._exchange = HttpExchange(
            url, access.with_headers(sent), max_answer=MAX_ANSWER, max_connections=max_connections
        )
        self.shown_url = self._exchange.shown_url

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Send one body, with these headers more, and return the 2xx answer.

        Raises Retryable, Ambiguous, Rejected, TooLarge or Misconfigured, each with the answer's status; blocks at most `timeout_s` (and one
        connection attempt).
        """
        data = gzipped(body) if self._gzip else body
        answer = self._exchange.request("POST", body=data, headers=headers)
        wrong = self._judged(answer)
        if wrong is not None:
            wrong.status = answer.status
            raise wrong
        return answer

    def _judged(self, answer: HttpAnswer) -> DeliveryError | None:
        """Return what an answer means for delivery; None when the body was taken."""
        status = answer.status
        if 200 <= status < 300:
            page = f"{self.shown_url}: answered {status} with a web page; is this the right port and path?"
            return Misconfigured(page) if answer.is_page else None
        said = f"{self.shown_url}: HTTP {status}{answer.quoted(self._words(answer))}"
        if status in RETRYABLE:
            return Retryable(said, after_s=retry_after_s(answer.retry_after))
        if status == 413 or (
            status == 500 and answer.body.startswith(b"413 ")
        ):  # so says Zipkin of a body that is too large
            return TooLarge(said)
        if 300 <= status < 400:
            return Misconfigured(f"{said}; it redirects elsewhere, which is not followed; name the final address")
        if status in MISCONFIGURED:
            return Misconfigured(f"{said}; {MISCONFIGURED[status]}")
        if status < 500 or (status == 500 and self._on_500 == "reject"):
            return Rejected(said)
        after_s = retry_after_s(answer.retry_after)
        return Ambiguous(said) if after_s is None else Retryable(said, after_s=after_s)

    def _words(self, answer: HttpAnswer) -> str | None:
        return None if self._words_of is None else self._words_of(answer.body, answer.content_type)

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()


def retry_after_s(text: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as an HTTP date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    if text.isascii() and text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
