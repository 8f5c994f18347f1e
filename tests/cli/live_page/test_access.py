"""Who may read the page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.cli.live_page.access import COOKIE_SECONDS, Access, hosts_of, names_of
from bkjob_async.configuration.proxies import is_this_machine

PORT = 8642
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a name, nothing is bound


def access(host: str = "127.0.0.1", port: int = PORT, key: bytes = b"key") -> Access:
    """Return the access to a server that listens on *host*."""
    names, any_address = names_of(host, "box.example")
    return Access(port, hosts_of(names, port), key, "right", any_address)


@pytest.mark.parametrize(
    ("listens", "asked", "is_served"),
    [
        ("127.0.0.1", "127.0.0.1:8642", True),
        ("127.0.0.1", "LOCALHOST:8642", True),
        ("::1", "[::1]:8642", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1:80", False),
        ("127.0.0.1", "evil.example:8642", False),
        ("127.0.0.1", "10.0.0.5:8642", False),
        ("127.0.0.1", "localhost:8642.evil.example", False),
        ("127.0.0.1", "", False),
        (EVERYWHERE, "10.0.0.5:8642", True),
        (EVERYWHERE, "[fe80::1]:8642", True),
        (EVERYWHERE, "box.example:8642", True),
        (EVERYWHERE, "evil.example:8642", False),
        (EVERYWHERE, "10.0.0.5:80", False),
        ("10.0.0.5", "10.0.0.5:8642", True),
        ("10.0.0.5", "localhost:8642", False),
        ("build.example", "build.example:8642", True),
    ],
)
def test_a_foreign_name_is_not_served(listens: str, asked: str, is_served: bool) -> None:  # noqa: FBT001 - a parameter
    """A page elsewhere can point a name at this machine, and cannot take its own name off."""
    assert access(listens).serves([asked]) is is_served


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1:8642", "127.0.0.1:8642"], ["127.0.0.1:8642", "evil"]])
def test_one_host_is_named(hosts: list[str]) -> None:
    """None, or two of them, hide the one that counts."""
    assert not access().serves(hosts)


def test_port_80_needs_no_port() -> None:
    """Browsers leave it out."""
    assert access(port=80).serves(["localhost"])


def test_the_token_works_once() -> None:
    """A wrong one does not spend it."""
    here = access()

    assert [here.take_token(each) for each in ("wrong", "righ", "rightx", "", "right", "right")] == [
        *[False] * 4,
        True,
        False,
    ]


def test_a_cookie_is_good_for_its_port_and_its_time() -> None:
    """Also in the next process, which has the same key; not after a change, nor with another key."""
    cookie = access().new_cookie(1000.0)
    expires, _, signature = cookie.partition(".")

    assert access().knows(cookie, 1000.0)
    assert access().knows(cookie, 999.0 + COOKIE_SECONDS)
    assert not access().knows(cookie, 1001.0 + COOKIE_SECONDS)
    assert not access(port=1).knows(cookie, 1000.0)
    assert not access(key=b"other").knows(cookie, 1000.0)
    assert not access().knows(f"{int(expires) + 1}.{signature}", 1000.0)
    assert not access().knows(None, 1000.0)
    assert "right" not in repr(access())
    assert "key" not in repr(access()).replace("any_key", "")


@given(st.text(max_size=80))
def test_no_other_cookie_is_known(cookie: str) -> None:
    """Whatever it holds."""
    assert not access().knows(cookie, 1000.0)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        (EVERYWHERE, False),
        ("a", False),
    ],
)
def test_others_reach_all_but_loopback(host: str, alone: bool) -> None:  # noqa: FBT001 - a parameter
    """What this machine alone reaches needs no warning."""
    assert is_this_machine(host) is alone
