"""Documents over HTTP: what a server that can be read back says, or that it has no such thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from tracebridge.errors import DeliveryError, Misconfigured, Retryable
from tracebridge_adapters.options import Access
from tracebridge_adapters.wires.http_exchange import HttpAnswer, HttpExchange
from tracebridge_adapters.wires.refusals import PROXY_CREDENTIALS

MAX_ANSWER = 64 * 2**20  # bytes; a trace of many thousand spans fits


class HttpReader:
    """GETs (and, where an API asks for it, POSTs) below one base address. Building does no network."""

    def __init__(self, base_url: str, access: Access) -> None:
        sent = {"Accept": "application/json", "Content-Type": "application/json", **access.headers}
        self._exchange = HttpExchange(base_url.rstrip("/"), access.with_headers(sent), max_answer=MAX_ANSWER)
        self.shown_url = self._exchange.shown_url

    def get(
        self, path: str, query: Mapping[str, str | int | Sequence[str]] | None = None, *, missing: bytes = b""
    ) -> bytes | None:
        """Return the document at a path, or None when the server says, in its own words `missing`, that it has none.

        Raises Retryable or Misconfigured, with the status, for any other answer.
        """
        return self._judged(
            self._exchange.request("GET", path + (f"?{urlencode(query, doseq=True)}" if query else "")), missing
        )

    def post(self, path: str, body: bytes) -> bytes:
        """Return the answer to a question that is asked by POST. Raises as `get` does."""
        return self.change("POST", path, body) or b""

    def change(self, method: str, path: str, body: bytes, *, missing: bytes = b"") -> bytes | None:
        """Return the answer to a request with a body, or None as `get` does. Raises as `get` does."""
        return self._judged(self._exchange.request(method, path, body), missing)

    def _judged(self, answer: HttpAnswer, missing: bytes) -> bytes | None:
        if answer.status == 200 and not answer.is_page:
            return answer.body
        if answer.status == 404 and missing and missing in answer.body:
            return None
        said = f"{self.shown_url}: HTTP {answer.status}{answer.quoted()}"
        wrong: DeliveryError
        if answer.status == 429 or answer.status >= 500:
            wrong = Retryable(said)
        elif answer.status in {401, 403}:
            wrong = Misconfigured(f"{said}; check the credentials")
        elif answer.status == 407:
            wrong = Misconfigured(f"{said}; {PROXY_CREDENTIALS}")
        else:
            page = " with a web page" if answer.is_page else ""
            wrong = Misconfigured(f"{said}{page}; is query_endpoint the base address of the query API?")
        wrong.status = answer.status
        raise wrong

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()
