"""Which HTTP proxy leads to a server: the one that an option names, or the environment's where the option says so."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from tracebridge.errors import ConfigError
from tracebridge.plugins.options import Secret

ENVIRONMENT: Final = "environment"
"""The value of an option `proxy` that has HTTP_PROXY, HTTPS_PROXY and NO_PROXY obeyed."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """A proxy, spoken to over plain HTTP. `str()` is its host and port; no credential is in it."""

    host: str
    port: int
    authorization: Secret | None = None
    """What it gets as Proxy-Authorization."""

    def __str__(self) -> str:
        """Return host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def basic_authorization(url: str) -> Secret | None:
    """Return the user info of an address as basic authorization (RFC 7617); None without.

    >>> basic_authorization("http://me:p%40ss@host").reveal()
    'Basic bWU6cEBzcw=='
    """
    user_info = urlsplit(url).netloc.rpartition("@")[0]
    if not user_info:
        return None
    user, _, password = user_info.partition(":")
    return Secret("Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode())


def proxy_to(url: str, given: str | None, environ: Mapping[str, str] = os.environ) -> HttpProxy | None:
    """Return the proxy that leads to an address, by an adapter's option `proxy`; None to go there directly.

    Raises ConfigError for a variable that names no proxy that can be used; its value is not told.
    """
    if given != ENVIRONMENT:
        return None if given is None else _proxy_at(given)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    variable = f"{parts.scheme}_proxy"
    if variable not in environ and not (variable == "http_proxy" and "REQUEST_METHOD" in environ):
        variable = variable.upper()  # which, in a CGI program, is a header that anybody may send
    text = environ.get(variable, "").strip()
    if not text or _is_exempt(host, port, environ.get("no_proxy", environ.get("NO_PROXY", ""))):
        return None
    try:
        return _proxy_at(text if "://" in text else f"http://{text}")
    except ValueError:
        raise ConfigError(f"{variable} must be the address of an HTTP proxy such as http://host:port") from None


def _proxy_at(address: str) -> HttpProxy:
    """Return the proxy at an address. Raises ValueError for one that is not http://host:port."""
    parts = urlsplit(address)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("not an address of an HTTP proxy")
    return HttpProxy(parts.hostname, parts.port or _DEFAULT_PORTS["http"], basic_authorization(address))


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Return whether NO_PROXY names a host: itself, with its port, a domain above it, a network (CIDR), or `*`."""
    for item in re.split(r"[\s,]+", no_proxy.lower()):
        name = item.removeprefix("*").lstrip(".")
        if item == "*" or (name and (name in {host, f"{host}:{port}", f"[{host}]", f"[{host}]:{port}"})):
            return True
        if name and host.endswith(f".{name}"):
            return True
        if "/" in item and _is_in(host, item):
            return True
    return False


def _is_in(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
