"""Which proxy leads to an address: the named one always, the environment's only where that is asked for."""

from __future__ import annotations

import pytest

from tracebridge.errors import ConfigError
from tracebridge.plugins.proxies import HttpProxy, proxy_to

BOTH = {"HTTP_PROXY": "http://plain:1", "HTTPS_PROXY": "http://secure:2"}
PLAIN, SECURE = HttpProxy("plain", 1), HttpProxy("secure", 2)


def test_without_the_option_the_environment_does_not_count() -> None:
    """Whatever it says."""
    assert proxy_to("http://host:4318", None, BOTH) is None


def test_a_proxy_that_is_named_leads_everywhere() -> None:
    """The environment neither replaces it nor exempts anything from it."""
    named = proxy_to("https://host", "http://named:3128", BOTH | {"NO_PROXY": "*"})
    assert named == HttpProxy("named", 3128)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://proxy", "proxy:80"),
        ("http://proxy:3128/", "proxy:3128"),
        ("http://me:secret@proxy:3128", "proxy:3128"),
        ("http://me:secret@[::1]:3128", "[::1]:3128"),
    ],
)
def test_a_proxy_shows_its_place_and_no_credentials(given: str, expected: str) -> None:
    """As text and as its repr."""
    proxy = proxy_to("http://host", given)
    assert (str(proxy), "secret" in repr(proxy)) == (expected, False)


def test_user_info_becomes_basic_authorization() -> None:
    """Percent escapes are undone (RFC 7617)."""
    proxy = proxy_to("http://host", "http://me:p%40ss%3A@proxy:1")
    assert proxy is not None
    assert proxy.authorization is not None
    assert proxy.authorization.reveal() == "Basic bWU6cEBzczo="


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("http://host", BOTH, PLAIN),
        ("https://host", BOTH, SECURE),
        ("https://host", {"HTTP_PROXY": "http://plain:1"}, None),
        ("http://host", {"http_proxy": "http://plain:1", "HTTP_PROXY": "http://other:3"}, PLAIN),
        ("http://host", {"http_proxy": "", "HTTP_PROXY": "http://other:3"}, None),
        ("http://host", {"HTTP_PROXY": "plain:1"}, PLAIN),
        ("http://host", BOTH | {"REQUEST_METHOD": "GET"}, None),  # in a CGI program HTTP_PROXY is a header: "httpoxy"
        ("https://host", BOTH | {"REQUEST_METHOD": "GET"}, SECURE),
        ("udp://host:6831", BOTH, None),
    ],
)
def test_the_environment_counts_where_it_is_asked_for(
    url: str, environ: dict[str, str], expected: HttpProxy | None
) -> None:
    """By the scheme of the server's address; lower-case names come first, as with curl."""
    assert proxy_to(url, "environment", environ) == expected


@pytest.mark.parametrize(
    ("no_proxy", "exempt"),
    [
        ("*", True),
        ("traces.example.com", True),
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("other, Example.COM", True),
        ("other example.com", True),
        ("traces.example.com:4318", True),
        ("traces.example.com:4317", False),
        ("ample.com", False),
        ("s.example.com", False),
        (".", False),
        ("", False),
        (",,", False),
        ("10.0.0.0/8", False),
    ],
)
def test_no_proxy_names_hosts_and_domains(no_proxy: str, exempt: bool) -> None:
    """A name stands for itself and for what is below it."""
    found = proxy_to("http://traces.example.com:4318", "environment", BOTH | {"NO_PROXY": no_proxy})
    assert found == (None if exempt else PLAIN)


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("[fd00::1]", "fd00::/8", True),
        ("[::1]", "::1", True),
        ("10.1.2.3", "nonsense/99", False),
    ],
)
def test_no_proxy_names_addresses_and_networks(host: str, no_proxy: str, exempt: bool) -> None:
    """Clusters exempt their own networks in CIDR."""
    found = proxy_to(f"http://{host}:80", "environment", BOTH | {"no_proxy": no_proxy})
    assert found == (None if exempt else PLAIN)


@pytest.mark.parametrize(
    "value", ["socks5://me:s3cr3t@host:1080", "https://me:s3cr3t@host", "http://me:s3cr3t@host:99999", "http://"]
)
def test_a_variable_that_names_no_http_proxy_is_an_error_that_names_it(value: str) -> None:
    """Its value, which may hold a password, is not told."""
    with pytest.raises(ConfigError) as caught:
        proxy_to("https://host", "environment", {"HTTPS_PROXY": value})
    assert str(caught.value) == "HTTPS_PROXY must be the address of an HTTP proxy such as http://host:port"
