"""The connection to a Redis server or cluster, and what its errors mean for a journal."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from bkjob_async.dialects.common.redaction import redact
from bkjob_async.errors import (
    ClientClosed,
    JournalAccessDenied,
    JournalUnavailable,
    NotAJournal,
    UsageError,
    WrongEventLoop,
)
from bkjob_async.journal.redis.parser import MAX_RESPONSE, parser_with_limit
from bkjob_async.journal.redis.replies import MAX_TEXT, size_of
from bkjob_async.journal.redis.scripts import sha_of
from bkjob_async.journal.urls import RedisPlace

T = TypeVar("T")

logger = logging.getLogger("bkjob_async.journal")

# Seconds until a server that does not respond counts as away; waiting reads end sooner.
RESPONSE_TIMEOUT = 3.0
CONNECT_TIMEOUT = 3.0
# How servers of any version refuse a command within a script, and where they say which line has it.
DENIED_IN_SCRIPT = "The user executing the script"
_LINE, _CALL = re.compile(r"@?user_script:\s*(\d+)"), re.compile(r"redis\.call\('([A-Z]+)'")
SEVERAL_SERVERS = (
    "several hosts are nodes of a cluster, and what answers there is a server of its own: give one host, or for a server"
    " with replicas its Sentinels: redis+sentinel://HOST,HOST/SERVICE"
)
# All keys are looked through within so many seconds.
SCAN_SECONDS = 60.0


class RedisClient:
    """A client of redis-py, of a single server or of a cluster; which of them it is, it asks at first use.

    Nothing is tried twice here: a write whose response was lost is repeated by the journal, which can tell.
    """

    def __init__(self, place: RedisPlace) -> None:
        """Prepare; raises `UsageError` where redis-py is not installed. Nothing is sent."""
        try:
            self._redis: Any = import_module("redis.asyncio")
            self._errors: Any = import_module("redis.exceptions")
            retry: Any = import_module("redis.asyncio.retry").Retry
            backoff: Any = import_module("redis.backoff").NoBackoff
        except ModuleNotFoundError:
            raise UsageError("a journal in Redis needs redis: pip install 'bkjob-async[redis]'") from None
        errors = self._errors
        self._denials = (errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError)
        self._away = (errors.ConnectionError, errors.TimeoutError, OSError)
        self._place = place
        self._options: dict[str, Any] = {
            "socket_timeout": RESPONSE_TIMEOUT,
            "socket_connect_timeout": CONNECT_TIMEOUT,
            "retry": retry(backoff(), 0),
            # What every version of a server speaks; newer ones of redis-py begin with the other one, which Redis 5 refuses.
            "protocol": 2,
            **tls_options(place.url),
        }
        self._client: Any = None
        # That the connections belong to, or the first of them, which is being opened.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sentinels: Sequence[Any] = ()
        self._has_warned = False
        self._connecting = asyncio.Lock()
        self._closing = set[asyncio.Task[None]]()
        self._is_closed = False

    async def command(self, *words: Any) -> Any:
        """Send a command and return the response; raise errors of journals."""
        return await self._translated(self._command(*words))

    async def _command(self, *words: Any) -> Any:
        return await (await self._connect()).execute_command(*words)

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script and return its response; send its text only where the server does not know it."""
        return await self._translated(self._run(script, keys, arguments), script)

    async def _run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        client = await self._connect()
        try:
            return await client.execute_command("EVALSHA", sha_of(script), len(keys), *keys, *arguments)
        except self._errors.NoScriptError:
            return await client.execute_command("EVAL", script, len(keys), *keys, *arguments)

    async def is_cluster(self) -> bool:
        """Return True where the server is part of a cluster."""
        client = await self._translated(self._connect())
        return isinstance(client, self._redis.RedisCluster)

    async def keys(self, pattern: str) -> list[str]:
        """Return all keys that match *pattern*, of all servers."""
        return await self._translated(self._keys(pattern))

    async def _keys(self, pattern: str) -> list[str]:
        client, found, size = await self._connect(), dict[str, None](), 0
        async with asyncio.timeout(SCAN_SECONDS):
            async for key in client.scan_iter(match=pattern, count=1000):
                found[key.decode()] = None
                size += size_of(key)
                if size > MAX_RESPONSE:
                    raise OverflowError("too many keys of this kind")
        return [*found]

    async def aclose(self) -> None:
        """Close all connections; harmless when repeated. Raises `WrongEventLoop` where they belong to another event loop."""
        if not self._is_closed:
            self._check_loop()
        self._is_closed = True
        client, self._client = self._client, None
        await self._close(client)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _close(self, client: Any) -> None:
        """Close a client and the Sentinels', to the end though the caller be cancelled: redis-py would leave connections open."""
        sentinels, self._sentinels = self._sentinels, ()
        closing = asyncio.ensure_future(closed(client, *sentinels))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await asyncio.shield(closing)

    async def _connect(self) -> Any:
        """Return the client; the first time, find out whether there is a cluster."""
        self._check_loop()
        if self._loop is not (loop := asyncio.get_running_loop()):
            self._loop, self._connecting = loop, asyncio.Lock()  # there is no client yet, or none any more
        async with self._connecting:
            self._check_open()
            if self._client is None:
                client = await self._new_client()
                try:
                    self._check_open()
                except ClientClosed:
                    await self._close(client)
                    raise
                self._client = client
            return self._client

    def _check_open(self) -> None:
        """Raise `ClientClosed` once the journal is closed."""
        if self._is_closed:
            raise ClientClosed("the journal is closed; open it with open_journal(...)")

    def _check_loop(self) -> None:
        """Raise `WrongEventLoop` where the connections belong to another event loop, as in a forked process."""
        if self._client is not None and self._loop is not asyncio.get_running_loop():
            raise WrongEventLoop(
                "a journal in Redis is used in the event loop, and the process, in which it was used first; there is another"
                " now, where it is opened anew: Fleet(...) or open_journal(...)"
            )

    async def _new_client(self) -> Any:
        """Return a client of the server, of the one that Sentinels name, or of the cluster; of several nodes the first that answers."""
        nodes = self._place.nodes
        attempts: list[Callable[[], Any]] = (
            [self._sentinel_client]
            if self._place.service
            else [partial(self._server_client, node) for node in nodes or (None,)]
        )
        for number, new_client in enumerate(attempts, 1):
            client = new_client()
            try:
                is_cluster = await self._look_at(client, is_one_of_several=len(attempts) > 1)
            except BaseException as error:
                await self._close(client)
                if number < len(attempts) and isinstance(error, self._away):
                    continue
                raise
            if not is_cluster:
                return client
            await self._close(client)
            break
        return await self._cluster_client()

    async def _look_at(self, client: Any, *, is_one_of_several: bool) -> bool:
        """Return whether a *client* speaks to a node of a cluster; raise `UsageError` for a server that cannot be."""
        is_cluster = bool((await client.info("cluster")).get("cluster_enabled"))
        self._warn_of_eviction((await client.info("memory")).get("maxmemory_policy", ""))
        if is_one_of_several and not is_cluster:
            raise UsageError(SEVERAL_SERVERS)
        return is_cluster

    def _server_client(self, node: tuple[str, int] | None) -> Any:
        """Return a client of one server, at a *node* or the socket of the URL."""
        url = self._place.url if node is None else url_at(self._place.url, *node)
        client: Any = self._redis.Redis.from_url(url, **self._options)
        client.connection_pool.connection_kwargs["parser_class"] = parser_with_limit()
        return client

    async def _cluster_client(self) -> Any:
        node_type: Any = import_module("redis.asyncio.cluster").ClusterNode
        nodes = [node_type(*node) for node in self._place.nodes]
        client = self._redis.RedisCluster.from_url(self._place.url, startup_nodes=nodes, **self._options)
        for place in (client, *client.nodes_manager.startup_nodes.values()):
            place.connection_kwargs["parser_class"] = parser_with_limit()
        try:
            await client.initialize()
        except BaseException:
            await self._close(client)
            raise
        return client

    def _sentinel_client(self) -> Any:
        """Return a client that asks the Sentinels for the server before each connection."""
        sentinel: Any = import_module("redis.asyncio.sentinel")
        options = {**self._options, **import_module("redis.asyncio.connection").parse_url(self._place.url)}
        for name in ("host", "port"):
            options.pop(name, None)
        is_tls = options.pop("connection_class", None) is not None
        of_server = {"db", "username", "password"}
        for_sentinels = {name: value for name, value in options.items() if name not in of_server}
        manager = sentinel.Sentinel(
            self._place.nodes,
            sentinel_kwargs={
                **for_sentinels,
                "ssl": is_tls,
                "username": self._place.sentinel_user,
                "password": self._place.sentinel_password,
            },
        )
        self._sentinels = manager.sentinels
        client = manager.master_for(self._place.service, ssl=is_tls, **options)
        for each in (client, *manager.sentinels):
            each.connection_pool.connection_kwargs["parser_class"] = parser_with_limit()
        return client

    def _warn_of_eviction(self, policy: str) -> None:
        """Say once that a server may remove what a journal has in it."""
        if policy.startswith("allkeys-") and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the Redis server at %s removes any key when its memory is full (maxmemory-policy %s), journals and targets too:"
                " set it to noeviction",
                self._place,
                policy,
            )

    async def _translated(self, work: Awaitable[T], script: str | None = None) -> T:
        """Await *work*; raise errors of journals in place of those of redis-py, whose frames hold the password.

        A server that answers what no Redis does has redis-py raise anything. redis-py waits by `asyncio.wait_for`, which
        before Python 3.12 may forget that its caller was cancelled: then the cancellation is raised here.
        """
        task = asyncio.current_task()
        cancellations = 0 if task is None else task.cancelling()
        text, is_denied, cancelled = "", False, None
        try:
            result = await work
        except (ClientClosed, UsageError):
            raise
        except asyncio.CancelledError as error:
            cancelled, error.__context__ = error.with_traceback(None), None
        except (self._errors.RedisError, OSError) as error:
            text = described(error, script)
            is_denied = isinstance(error, self._denials) or DENIED_IN_SCRIPT in text
        except Exception as error:  # noqa: BLE001 - what redis-py makes of a response that no server sends
            text = f"what answers there is no Redis server ({type(error).__name__}: {error})"
        else:
            if task is None or task.cancelling() <= cancellations:
                return result
            cancelled = asyncio.CancelledError()
        finally:
            del work
        if cancelled is not None:
            raise cancelled
        if "WRONGTYPE" in text:
            raise NotAJournal("a key of this name belongs to another program", journal=str(self._place))
        text = redact(text, passwords_of(self._place))
        kind = JournalAccessDenied if is_denied else JournalUnavailable
        raise kind(f"Redis: {text:.{MAX_TEXT}}", journal=str(self._place))


async def closed(*clients: Any) -> None:
    """Close clients of redis-py."""
    for client in clients:
        if client is not None:
            await client.aclose()


def passwords_of(place: RedisPlace) -> tuple[str, ...]:
    """Return the passwords, which a server may repeat."""
    password = urlsplit(place.url).password
    return tuple(each for each in (password and unquote(password), place.sentinel_password) if each)


def url_at(url: str, host: str, port: int) -> str:
    """Return a URL of redis-py with another host and port."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    shown = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=f"{user}{at}{shown}:{port}").geturl()


def described(error: Exception, script: str | None) -> str:
    """Return an error of redis-py in words; where it refuses a command of a *script*, with that command."""
    text, kind = str(error), type(error).__name__
    if kind == "MasterNotFoundError":  # its text shows all clients of Sentinels
        return "no Sentinel names a server of this service that lives"
    command = None if script is None else refused_command(script, text)
    return f"{kind}: {text}" if command is None else f"this user may not run {command}: {kind}: {text}"


def refused_command(script: str, text: str) -> str | None:
    """Return the command of a *script* that the server refused with this *text*, which names a line; None where it does not."""
    line = _LINE.search(text)
    if line is None or DENIED_IN_SCRIPT not in text:
        return None
    commands = _CALL.findall("\n".join(script.split("\n")[: int(line[1])]))
    return commands[-1] if commands else None


def tls_options(url: str) -> dict[str, Any]:
    """Return what makes redis-py compare a server's certificate with its name: before 6.0 it does not by itself.

    Nothing is checked where the URL says that no certificate is wanted; its own options come first in any case.
    """
    parts = urlsplit(url)
    wanted = dict(parse_qsl(parts.query)).get("ssl_cert_reqs", "required")
    return {"ssl_check_hostname": True} if parts.scheme == "rediss" and wanted != "none" else {}
