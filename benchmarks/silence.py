"""A watcher whose platform never answers, for what is measured without any."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from bkjob_async.dialects.registry import dialect
from bkjob_async.engine.cadence import Cadence
from bkjob_async.watch.watcher import Watcher
from bkjob_async.wire.session import Session


class Silence:
    """A session that takes every question and gives no answer."""

    dialect = dialect("gateway-v3")

    async def look(self, _question: object) -> Any:
        """Wait for ever."""
        await asyncio.get_running_loop().create_future()


def watcher_without_answers() -> Watcher:
    """Return a watcher that asks and never hears anything."""
    return Watcher(cast("Session", Silence()), cadence=Cadence(), workers=4, observers=())
