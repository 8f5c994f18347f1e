"""The client: one object with every question, command and verb."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from bkjob_async.client.shortcuts import Verbs
from bkjob_async.errors import UsageError


class JobClient(Verbs):
    """A client of one platform, in one event loop; see `connect`.

    Platform operations keep the platform's names and parameters. A few verbs above them do what people want in one
    line. It may be opened in one task and closed in another.
    """

    def __repr__(self) -> str:
        return f"<JobClient {self._lifetime}: {self._session.dialect.name} at {self._session.base_url}>"

    async def __aenter__(self) -> Self:
        if self._is_view:
            raise UsageError("a view is neither opened nor closed; open the client that it was made of")
        self._lifetime.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every watch and let go of connections; harmless when repeated, and nothing at all on a view."""
        if self._is_view or not self._lifetime.close():
            return
        try:
            await self._watcher.aclose()
        finally:
            await self._session.aclose()
