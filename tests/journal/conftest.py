"""The kinds of stores that the contract suite runs over."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.journal.redis_server import RedisServer, running, running_cluster
from tests.journal.stores import Place, opened, sqlite_url

PAGE = Path(__file__).parent.parent.parent / "bkjob_async" / "docs" / "many-machines.md"
PASSWORD = "of-the-least"


def least_acl() -> list[str]:
    """Return the command of the page on many machines that makes a user who runs shards."""
    (command,) = re.findall(r"^ACL SETUSER runner .*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(command).replace("PASSWORD", PASSWORD).split()


def with_user(url: str) -> str:
    """Return the URL of a server with that user."""
    return url.replace("//", f"//runner:{PASSWORD}@")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give a server that keeps nothing on disk, for all tests."""
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give a server of a cluster of two, for all tests."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis", "redis-socket", "redis-cluster", "redis-least"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Give each kind of store in turn, empty."""
    server: RedisServer | None = None
    if request.param == "redis-cluster":
        server = request.getfixturevalue("redis_cluster")
    elif request.param.startswith("redis"):
        server = request.getfixturevalue("redis_server")
    if server is not None:
        server.flush()
        if request.param == "redis-least":
            with server.client() as client:
                client.execute_command(*least_acl())
        url = with_user(server.url) if request.param == "redis-least" else server.url
        url = server.socket_url if request.param == "redis-socket" else url
    else:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else f"memory:{uuid4().hex}"
    async with opened(url) as place:
        yield place
