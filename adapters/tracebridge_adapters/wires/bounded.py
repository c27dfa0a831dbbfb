"""HTTP connections on which a whole answer, headers included, has to come within one time.

A socket's timeout bounds one read, so that a server which sends a byte now and then holds a client for ever. urllib3 and http.client
leave that to their user for the body and give no hold on the headers; here every read gets only what is left of the time.
"""

from __future__ import annotations

import http
import http.client
import io
import socket
import time
from typing import Any

import urllib3

from tracebridge.plugins.proxies import HttpProxy


class SwitchedError(http.client.HTTPException):
    """The server goes on in another protocol: no answer will come on this connection."""


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until a deadline, then raises TimeoutError."""

    def __init__(self, sock: socket.socket) -> None:
        timeout_s = sock.gettimeout()
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_BoundedReader(sock))

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status of the final answer: any number of interim ones may come before it (RFC 9110, 15.2).

        http.client skips a 100 alone, and takes a 102 or 103 for the answer and what follows for the next one's.
        """
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise SwitchedError("answered 101 Switching Protocols, which was not asked for")
            if not 100 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _BoundedResponse


class _TlsConnection(urllib3.connection.HTTPSConnection):
    response_class = _BoundedResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection

    def _validate_conn(self, conn: Any) -> None:
        """Connect. urllib3 also warns where verification is off; here a person has written that into the configuration."""
        if conn.is_closed:
            conn.connect()


_POOLS = {"http": _Pool, "https": _TlsPool}


class BoundedPoolManager(urllib3.PoolManager):
    """A PoolManager whose read timeout bounds the whole answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pool_classes_by_scheme = _POOLS


class BoundedProxyManager(urllib3.ProxyManager):
    """The same through a proxy: forwarded for http, tunnelled for https."""

    def __init__(self, proxy: HttpProxy, **options: Any) -> None:
        headers = {"Proxy-Authorization": proxy.authorization.reveal()} if proxy.authorization else None
        super().__init__(f"http://{proxy}", proxy_headers=headers, **options)
        self.pool_classes_by_scheme = _POOLS
