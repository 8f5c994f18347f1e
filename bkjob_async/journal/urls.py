"""The places of journals: URLs, read without touching what they name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from attrs import field, frozen
from msgspec import Struct

from bkjob_async.errors import UsageError
from bkjob_async.model.base_error import check_type

FORMS = (
    "memory:, sqlite:///PATH[?synchronous=full], redis://HOST[,HOST...], rediss://HOST, redis+unix:///SOCKET"
    " or redis+sentinel://HOST,HOST/SERVICE"
)
REDIS_SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "redis+unix": "unix",
    "redis+sentinel": "redis",
    "rediss+sentinel": "rediss",
}
REDIS_PORT, SENTINEL_PORT = 6379, 26379
REDIS_OPTIONS = {
    "db",
    "ssl_ca_certs",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_keyfile",
}
SENTINEL_OPTIONS = {"sentinel_username", "sentinel_password"}
SYNCHRONOUS = ("normal", "full")
MAX_NAME = 200
# No braces: Redis Cluster places the keys of a fleet by what stands between them.
_NAME = re.compile(rf"[\w.:@+-][\w.:@+/ -]{{0,{MAX_NAME - 1}}}")


class MemoryPlace(Struct, frozen=True, kw_only=True):
    """A journal in this process; all that open the same *name* share it."""

    name: str = ""

    def __str__(self) -> str:
        return f"memory:{self.name}"


class SqlitePlace(Struct, frozen=True, kw_only=True):
    """A journal in the file *path*; *synchronous* is `normal` or `full`."""

    path: str
    synchronous: str = "normal"

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@frozen(kw_only=True)
class RedisPlace:
    """A journal in a Redis server or cluster; *url* is what redis-py takes, and may hold a password.

    *nodes* are the hosts and ports that were given: of a server, or of some nodes of a cluster, none for a socket. With a
    *service* they are Sentinels, which know its server; *sentinel_user* and *sentinel_password* are theirs.
    """

    url: str = field(repr=False)
    shown: str
    has_password: bool
    nodes: tuple[tuple[str, int], ...] = ()
    service: str | None = None
    sentinel_user: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.shown


Place = MemoryPlace | SqlitePlace | RedisPlace


def parse_journal_url(url: str) -> Place:
    """Return the place that *url* names; raise `UsageError`, which names the remedy and never the password."""
    try:
        check_type("the url of a journal", url, str, "'sqlite:///fleet.db'")
        return _place_of(url)
    except UsageError as error:
        kind, text = type(error), str(error)
    finally:
        del url
    # Raised here, for the frames of the first error hold the URL, which may contain a password.
    raise kind(text)


def _place_of(url: str) -> Place:
    scheme, colon, _ = url.partition(":")
    scheme = scheme.lower()
    if not colon or not re.fullmatch(r"[a-z][a-z+]*", scheme):
        raise UsageError(f"not the URL of a journal: give {FORMS}")
    if scheme == "memory":
        return _memory(url)
    url, others = _first_host_of(url) if scheme in REDIS_SCHEMES else (url, [])
    parts, further = _split(url), [_split(f"//{host}") for host in others]
    if parts is None or None in further:
        raise UsageError(
            f"the host or port of this {scheme}: URL cannot be read: give {FORMS}; in a password write"
            " % / ? # @ : as %25 %2F %3F %23 %40 %3A"
        )
    if scheme == "sqlite":
        return _sqlite(parts)
    if scheme in REDIS_SCHEMES:
        return _redis(parts, scheme, [each for each in further if each is not None])
    raise UsageError(f"there are no journals of the kind {scheme!r}: give {FORMS}")


def check_fleet_name(name: object) -> str:
    """Return *name* if fleets may be called so; raise `UsageError`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a fleet: give 1 to {MAX_NAME} letters, digits, spaces and . _ : @ + / -,"
            " a letter, digit or one of . _ : @ + - first"
        )
    return name


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, None where it cannot be read; the error's own text would quote it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _memory(url: str) -> MemoryPlace:
    name = url.partition(":")[2]
    if name and not re.fullmatch(r"[\w.-]+", name):
        raise UsageError("a journal in memory is memory: or memory:NAME, with letters, digits and . _ -")
    return MemoryPlace(name=name)


def _sqlite(parts: SplitResult) -> SqlitePlace:
    path = unquote(parts.path[1:])
    if parts.netloc or not parts.path.startswith("/") or not path or path.endswith("/") or parts.fragment:
        raise UsageError(
            "the URL of a SQLite journal has three slashes and a path: sqlite:///fleet.db,"
            " or four for an absolute one: sqlite:////var/lib/fleet.db (write # as %23 and ? as %3F)"
        )
    if path == ":memory:" or "\0" in path:
        raise UsageError("a SQLite journal is a file; for one in memory give memory:")
    options = _options(parts, {"synchronous"})
    synchronous = options.get("synchronous", "normal").lower()
    if synchronous not in SYNCHRONOUS:
        raise UsageError(f"synchronous is {' or '.join(SYNCHRONOUS)}")
    return SqlitePlace(path=path, synchronous=synchronous)


def _first_host_of(url: str) -> tuple[str, list[str]]:
    """Return a URL with the first of its hosts alone, and the others."""
    head, mark, rest = url.partition("://")
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, at, hosts = netloc.rpartition("@")
    first, *others = hosts.split(",")
    return f"{head}{mark}{user}{at}{first}{rest[len(netloc) :]}", others


def _redis(parts: SplitResult, scheme: str, others: Sequence[SplitResult]) -> RedisPlace:
    is_socket, is_sentinel = scheme == "redis+unix", scheme.endswith("+sentinel")
    if is_socket and (not parts.path.strip("/") or parts.hostname or others):
        raise UsageError("the URL of a Redis socket has three slashes: redis+unix:///run/redis.sock?db=0")
    if not is_socket and not (parts.hostname and all(each.hostname for each in others)):
        raise UsageError(f"the URL of a Redis journal names a host: {scheme}://localhost:6379/0")
    if any(each.username is not None for each in others):
        raise UsageError(
            "in the URL of a Redis journal the user and the password stand before the first host"
        )
    service, path = None, parts.path
    if is_sentinel:
        named = re.fullmatch(r"/([^/]+)(/\d*)?", path)
        if named is None:
            raise UsageError(
                f"behind the Sentinels stands the name of their service: {scheme}://HOST,HOST/SERVICE/0"
            )
        service, path = unquote(named[1]), named[2] or ""
    elif not is_socket and not re.fullmatch(r"(/\d*)?", path):
        raise UsageError(f"behind the host stands the number of the database: {scheme}://localhost:6379/0")
    if parts.fragment:
        raise UsageError("write a # in the URL of a Redis journal as %23")
    options = _options(parts, REDIS_OPTIONS | SENTINEL_OPTIONS if is_sentinel else REDIS_OPTIONS)
    if not options.get("db", "0").isdigit():
        raise UsageError("db is the number of the Redis database")
    for_sentinel = [options.get(name) for name in ("sentinel_username", "sentinel_password")]
    hosts = ",".join(map(_shown_host, (parts, *others)))
    shown = f"{scheme}://{hosts}{parts.path}" + (f"?db={options['db']}" if "db" in options else "")
    query = urlencode({name: value for name, value in options.items() if name in REDIS_OPTIONS})
    url = parts._replace(scheme=REDIS_SCHEMES[scheme], path=path, query=query).geturl()
    if is_socket and not url.startswith("unix://"):  # without user and password
        url = url.replace("unix:", "unix://", 1)
    port = SENTINEL_PORT if is_sentinel else REDIS_PORT
    return RedisPlace(
        url=url,
        shown=shown,
        has_password=parts.password is not None or for_sentinel[1] is not None,
        nodes=tuple((each.hostname, each.port or port) for each in (parts, *others) if each.hostname),
        service=service,
        sentinel_user=for_sentinel[0],
        sentinel_password=for_sentinel[1],
    )


def _shown_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")


def _options(parts: SplitResult, known: set[str]) -> Mapping[str, str]:
    """Return the options of a URL, each of which is *known* and given once."""
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            # Neither name nor value is repeated: a password may have ended up here.
            raise UsageError(
                f"unknown option in the URL of the journal; there are: {', '.join(sorted(known))}"
                " (a password stands before the host: redis://:PASSWORD@HOST)"
            )
        if name in options:
            raise UsageError(f"the option {name} stands twice in the URL of the journal")
        options[name] = value
    return options
