"""A live page over a state that the test changes."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bkjob_async.cli.live_page.access import Access, hosts_of, names_of
from bkjob_async.cli.live_page.page_state import PageState
from bkjob_async.cli.live_page.server import LiveServer, listening_on

KEY, TOKEN = b"a key of the tests", "a-token-of-the-tests"


def row(number: int, *, failed: int = 0, done: int = 0, total: int = 10, title: str = "") -> dict[str, Any]:
    """Return a row as the page is sent it."""
    group = 0 if failed else 1
    hosts = {"FAILED": failed, "SUCCESS": done - failed, "RUNNING": total - done}
    return {
        "ref": f"2:{20_000_000_000 + number}",
        "title": title or f"deploy app-{number}",
        "step": "1/2 rollout",
        "phase": "FAILED" if failed and done == total else "RUNNING",
        "over": done == total,
        "hosts": {phase: count for phase, count in hosts.items() if count},
        "done": done,
        "failed": failed,
        "began": 100.0,
        "ends": 400.0,
        "took": None,
        "note": "",
        "order": [group, 1, -failed, number, 0],
    }


def rows(*some: dict[str, Any]) -> dict[str, Any]:
    """Return rows by their keys."""
    return {each["ref"]: each for each in some}


def head(hosts: Mapping[str, int] | None = None, **changed: Any) -> dict[str, Any]:
    """Return a head as the page is sent it."""
    return {
        "now": 200.0,
        "elapsed": 100.0,
        "over": 0,
        "targets": 3,
        "with_failures": 0,
        "lost": 0,
        "hosts": {"RUNNING": 30} if hosts is None else dict(hosts),
        "hosts_per_second": 1.5,
        "ends_in": 60.0,
        "requests_per_second": 4.0,
        "budget": 20.0,
        "oldest_unseen": 3.0,
        "limit": "",
        "in_trouble": 0,
        "outage": "",
        **changed,
    }


def failure(number: int, **changed: Any) -> dict[str, Any]:
    """Return a failed host as the page is sent it."""
    return {
        "host": f"10.0.0.{number}",
        "ref": "2:1/2",
        "title": f"deploy app-{number}",
        "phase": "FAILED",
        "name": "SCRIPT_NOT_ZERO_EXIT_CODE",
        "exit_code": 1,
        "tag": "disk full",
        "at": 190.0,
        **changed,
    }


@asynccontextmanager
async def serving(
    state: PageState, *, port: int = 0, token: str | None = TOKEN
) -> AsyncIterator[tuple[LiveServer, str]]:
    """Serve a state; yield the server with its URL."""
    listening = socket.create_server(("127.0.0.1", port))
    found = int(listening.getsockname()[1])
    names, any_address = names_of("127.0.0.1", "here")
    server = LiveServer(state, Access(found, hosts_of(names, found), KEY, token, any_address))
    async with listening_on(listening, server.app()):
        yield server, f"http://127.0.0.1:{found}"


def changed(server: LiveServer, *some: dict[str, Any], **more: Any) -> None:
    """Change some rows, and say so."""
    server.state.update(more.pop("head", head()), rows(*some), **more)
    server.changed()
