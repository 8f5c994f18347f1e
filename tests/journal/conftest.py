"""The kinds of stores that the contract suite runs over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.journal.redis_server import RedisServer, running, running_cluster
from tests.journal.stores import Place, opened, sqlite_url


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


@pytest.fixture(params=["memory", "sqlite", "redis", "redis-socket", "redis-cluster"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Give each kind of store in turn, empty."""
    server: RedisServer | None = None
    if request.param == "redis-cluster":
        server = request.getfixturevalue("redis_cluster")
    elif request.param.startswith("redis"):
        server = request.getfixturevalue("redis_server")
    if server is not None:
        server.flush()
        url = server.socket_url if request.param == "redis-socket" else server.url
    else:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else f"memory:{uuid4().hex}"
    async with opened(url) as place:
        yield place
