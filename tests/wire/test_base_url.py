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
