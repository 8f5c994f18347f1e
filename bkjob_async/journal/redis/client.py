"""The connection to a Redis server or cluster, and what its errors mean for a journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
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
)
from bkjob_async.journal.redis.parser import MAX_RESPONSE, parser_with_limit
from bkjob_async.journal.redis.replies import MAX_TEXT, size_of
from bkjob_async.journal.redis.scripts import Script
from bkjob_async.journal.urls import RedisPlace

T = TypeVar("T")

# Seconds until a server that does not respond counts as away; waiting reads end sooner.
RESPONSE_TIMEOUT = 3.0
CONNECT_TIMEOUT = 3.0
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
        self._connecting = asyncio.Lock()
        self._is_closed = False

    async def command(self, *words: Any) -> Any:
        """Send a command and return the response; raise errors of journals."""
        return await self._translated(self._command(*words))

    async def _command(self, *words: Any) -> Any:
        return await (await self._connect()).execute_command(*words)

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script and return its response; send its text only where the server does not know it."""
        return await self._translated(self._run(script, keys, arguments))

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        client = await self._connect()
        try:
            return await client.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except self._errors.NoScriptError:
            return await client.execute_command("EVAL", script.text, len(keys), *keys, *arguments)

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
        """Close all connections; harmless when repeated."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _connect(self) -> Any:
        """Return the client; the first time, find out whether there is a cluster."""
        async with self._connecting:
            if self._is_closed:
                raise ClientClosed("the journal is closed; open it with open_journal(...)")
            if self._client is None:
                self._client = await self._new_client()
            return self._client

    async def _new_client(self) -> Any:
        client: Any = self._redis.Redis.from_url(self._place.url, **self._options)
        parser = parser_with_limit()
        client.connection_pool.connection_kwargs["parser_class"] = parser
        try:
            facts = await client.info("cluster")
            if facts.get("cluster_enabled"):
                await client.aclose()
                client = self._redis.RedisCluster.from_url(self._place.url, **self._options)
                for place in (client, *client.nodes_manager.startup_nodes.values()):
                    place.connection_kwargs["parser_class"] = parser
                await client.initialize()
        except BaseException:
            await client.aclose()
            raise
        return client

    async def _translated(self, work: Awaitable[T]) -> T:
        """Await *work*; raise errors of journals in place of those of redis-py, whose frames hold the password.

        A server that answers what no Redis does has redis-py raise anything. redis-py waits by `asyncio.wait_for`, which
        before Python 3.12 may forget that its caller was cancelled: then the cancellation is raised here.
        """
        task = asyncio.current_task()
        cancellations = 0 if task is None else task.cancelling()
        text, is_denied, cancelled = "", False, None
        try:
            result = await work
        except ClientClosed:
            raise
        except asyncio.CancelledError as error:
            cancelled, error.__context__ = error.with_traceback(None), None
        except (self._errors.RedisError, OSError) as error:
            text = f"{type(error).__name__}: {error}"
            is_denied = isinstance(error, self._denials)
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
        text = redact(text, password_of(self._place))
        kind = JournalAccessDenied if is_denied else JournalUnavailable
        raise kind(f"Redis: {text:.{MAX_TEXT}}", journal=str(self._place))


def password_of(place: RedisPlace) -> tuple[str, ...]:
    """Return the password, which a server may repeat, if there is one."""
    password = urlsplit(place.url).password
    return () if password is None else (unquote(password),)


def tls_options(url: str) -> dict[str, Any]:
    """Return what makes redis-py compare a server's certificate with its name: before 6.0 it does not by itself.

    Nothing is checked where the URL says that no certificate is wanted; its own options come first in any case.
    """
    parts = urlsplit(url)
    wanted = dict(parse_qsl(parts.query)).get("ssl_cert_reqs", "required")
    return {"ssl_check_hostname": True} if parts.scheme == "rediss" and wanted != "none" else {}
