"""The URLs of journals are read without touching anything, and errors name the remedy."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import parse_url

from bkjob_async.errors import UsageError
from bkjob_async.journal.urls import (
    MemoryPlace,
    RedisPlace,
    SqlitePlace,
    check_fleet_name,
    parse_journal_url,
)

PASSWORD = "opensesame"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("memory:", MemoryPlace()),
        ("memory:night", MemoryPlace(name="night")),
        ("sqlite:///fleet.db", SqlitePlace(path="fleet.db")),
        ("sqlite:////var/lib/fleet.db", SqlitePlace(path="/var/lib/fleet.db")),
        ("sqlite:///C:/data/fleet.db", SqlitePlace(path="C:/data/fleet.db")),
        ("sqlite:///a%20b%3Fc%25.db", SqlitePlace(path="a b?c%.db")),
        ("sqlite:///fleet.db?synchronous=full", SqlitePlace(path="fleet.db", synchronous="full")),
        ("SQLITE:///fleet.db?synchronous=FULL", SqlitePlace(path="fleet.db", synchronous="full")),
    ],
)
def test_places_in_this_machine(url: str, place: object) -> None:
    """Memory and files."""
    assert parse_journal_url(url) == place


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost", {"host": "localhost"}),
        ("redis://localhost:6380/3", {"host": "localhost", "port": 6380, "db": 3}),
        (f"redis://me:{PASSWORD}@10.0.0.1", {"host": "10.0.0.1", "username": "me", "password": PASSWORD}),
        (f"rediss://:{PASSWORD}@[::1]:7000/1", {"host": "::1", "port": 7000, "db": 1, "password": PASSWORD}),
        ("redis+unix:///run/redis.sock?db=2", {"path": "/run/redis.sock", "db": 2}),
        (f"redis+unix://me:{PASSWORD}@/run/redis.sock", {"path": "/run/redis.sock", "password": PASSWORD}),
    ],
)
def test_redis_reads_the_url_as_it_was_meant(url: str, expected: dict[str, object]) -> None:
    """What is handed on means the same to redis-py; what is shown holds no password."""
    place = parse_journal_url(url)

    assert isinstance(place, RedisPlace)
    assert parse_url(place.url).items() >= expected.items()
    assert place.has_password == (PASSWORD in url)
    assert PASSWORD not in f"{place} {place!r}"
    assert str(place).startswith(url.partition("://")[0])


@pytest.mark.parametrize(
    ("url", "nodes", "service", "shown"),
    [
        ("redis://a", (("a", 6379),), None, "redis://a"),
        ("redis://a,b:7001,[::1]:7002/0", (("a", 6379), ("b", 7001), ("::1", 7002)), None, None),
        ("redis+unix:///run/redis.sock", (), None, None),
        ("redis+sentinel://a,b:7/night", (("a", 26379), ("b", 7)), "night", "redis+sentinel://a,b:7/night"),
        ("rediss+sentinel://a/n%20x/3", (("a", 26379),), "n x", "rediss+sentinel://a/n%20x/3"),
        (
            f"redis+sentinel://u:{PASSWORD}@a/n?sentinel_password=s",
            (("a", 26379),),
            "n",
            "redis+sentinel://a/n",
        ),
    ],
)
def test_several_hosts_are_nodes_of_a_cluster_or_sentinels(
    url: str, nodes: tuple[tuple[str, int], ...], service: str | None, shown: str | None
) -> None:
    """What redis-py is given is the first of them, with the database, the user and the password."""
    place = parse_journal_url(url)

    assert isinstance(place, RedisPlace)
    assert (place.nodes, place.service, str(place)) == (nodes, service, shown or url)
    given = parse_url(place.url)
    assert given.get("host") == (nodes[0][0] if nodes else None)
    assert given.get("db", 0) == (3 if url.endswith("/3") else 0)
    assert given.get("password") == (PASSWORD if PASSWORD in url else None)
    assert place.sentinel_password == ("s" if "sentinel_password" in url else None)
    assert PASSWORD not in f"{place} {place!r}"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("", "give memory:, sqlite:///PATH"),
        ("fleet.db", "give memory:, sqlite:///PATH"),
        (f"postgres://me:{PASSWORD}@host/db", "give memory:, sqlite:///PATH"),
        ("memory://", "memory:NAME"),
        ("memory:a/b", "memory:NAME"),
        ("sqlite:fleet.db", "three slashes"),
        ("sqlite://fleet.db", "three slashes"),
        ("sqlite://", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("sqlite:///dir/", "three slashes"),
        ("sqlite:///a#b.db", "%23"),
        ("sqlite:///:memory:", "give memory:"),
        ("sqlite:///a%00b", "a file"),
        ("sqlite:///fleet.db?synchronous=off", "normal or full"),
        ("sqlite:///fleet.db?mode=ro", "there are: synchronous"),
        ("sqlite:///fleet.db?synchronous=full&synchronous=full", "twice"),
        ("redis://", "redis://localhost:6379/0"),
        ("redis://a,,b", "names a host"),
        (f"redis://a,me:{PASSWORD}@b:x", "give memory:, sqlite:///PATH"),
        ("redis+sentinel://a,b", "redis+sentinel://HOST,HOST/SERVICE"),
        ("redis+sentinel://a/night/x", "redis+sentinel://HOST,HOST/SERVICE"),
        ("redis://a?sentinel_password=x", "unknown option"),
        ("redis+unix://a,b/run/redis.sock", "three slashes"),
        ("redis:///0", "redis://localhost:6379/0"),
        ("redis://localhost/nights", "number of the database"),
        (f"redis://:{PASSWORD}@localhost:port", "port"),
        (f"redis://localhost?password={PASSWORD}", "before the host"),
        (f"redis://localhost?{PASSWORD}=1", "before the host"),
        (f"redis://:{PASSWORD}#x@localhost", "%23"),
        ("redis://localhost?db=one", "number"),
        ("redis+unix://run/redis.sock", "three slashes"),
        ("redis+unix://", "three slashes"),
        (f"rediss://:{PASSWORD}@[::1", "cannot be read"),
    ],
)
def test_a_wrong_url_is_refused_with_the_remedy(url: str, remedy: str) -> None:
    """Without its password, in the text and in what led to it."""
    with pytest.raises(UsageError) as caught:
        parse_journal_url(url)

    assert remedy in str(caught.value)
    assert PASSWORD not in f"{caught.value!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("name", ["night", "a", "biz:2/night shift", "n" * 200, "夜间", "x@host+1.2_3-4"])
def test_names_of_fleets(name: str) -> None:
    """Words of any language, with the usual marks."""
    assert check_fleet_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " night", "/night", "a{b}", "a}b", "a\nb", "a\0b", "n" * 201, "a*", None, 7]
)
def test_other_names_are_refused(name: str) -> None:
    """Braces, controls, wild cards, and what is no text."""
    with pytest.raises(UsageError, match="name of a fleet"):
        check_fleet_name(name)
