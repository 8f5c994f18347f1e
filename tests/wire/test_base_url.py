"""The URL of a platform: what cannot be one is refused, and nothing of it is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import bkjob_async as bkjob
from bkjob_async import sync
from bkjob_async.configuration.settings import resolve
from bkjob_async.many.placement import Placement
from bkjob_async.many.settings import FleetSettings

CREDENTIALS = bkjob.AppCredentials(bk_app_code="app", bk_app_secret="other", bk_username="admin")
SECRET = "hush"


WAYS: dict[str, Callable[[str], object]] = {
    "connect": lambda url: bkjob.connect(url, CREDENTIALS),
    "twin": lambda url: sync.connect(url, CREDENTIALS),
    "fleet": lambda url: FleetSettings(url=url, credentials="module:function", placement=Placement(shards=1)),
    "variable": lambda url: resolve({}, {"BKJOB_URL": url}, None),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "url",
    [
        f"https://admin:{SECRET}/word@platform.example.com",
        f"https://platform.example.com:{SECRET}/prod",
        f"https://admin:{SECRET}[@platform.example.com",
        f"https://admin:{SECRET}@platform.example.com",
        f"https://platform.example.com/?{SECRET}",
        f"https://platform.example.com/#{SECRET}",
        "https://platform.example.com:99999",
        "https://[::1",
    ],
)
def test_what_cannot_be_a_url_is_refused_and_not_shown(way: Callable[[str], object], url: str) -> None:
    """A password with a slash looks like a port, which the error of the parser repeats; what follows a # is not sent."""
    with pytest.raises(bkjob.UsageError) as caught:
        way(url)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("way", ["connect", "twin", "fleet"])
@pytest.mark.parametrize("host", [f"exa {SECRET}.com", "xn--a", "exa<mple.com"])
def test_what_cannot_be_a_host_is_refused_at_once(way: str, host: str) -> None:
    """The parser of URLs takes it, and the first request would raise what is no error of this package."""
    with pytest.raises(bkjob.UsageError, match="the host or port of the URL cannot be read") as caught:
        WAYS[way](f"https://{host}/api")

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://exa {SECRET}.com:8080",
        "http://xn--a:8080",
        "http://[::1",
        f"http://user:{SECRET}[@proxy:8080",
    ],
)
def test_what_cannot_be_the_url_of_a_proxy_is_refused_and_not_shown(proxy: str) -> None:
    """At once, and not as an error of the first request."""
    with pytest.raises(bkjob.UsageError, match="a proxy must be") as caught:
        bkjob.HttpOptions(proxy=proxy)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "host", ["under_score.example.com", "[fe80::1%25lo]:81", "10.0.0.1:8080", "\u4f5c\u4e1a.example.com"]
)
def test_hosts_of_every_kind_are_taken(host: str) -> None:
    """Names that DNS would not take may be in the file of hosts."""
    assert str(bkjob.connect(f"http://{host}/api", CREDENTIALS))
