"""The kinds of stores that the contract suite runs over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.journal.stores import Place, opened, sqlite_url


@pytest.fixture(params=["memory", "sqlite"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Give each kind of store in turn, empty."""
    urls = {"memory": f"memory:{uuid4().hex}", "sqlite": sqlite_url(tmp_path)}
    async with opened(urls[request.param]) as place:
        yield place
