"""aiohttp sessions over one connector, each with the headers that many requests share.

aiohttp merges a session's headers once and a request's own each time; looks all have the very same headers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import aiohttp

# A request may still be under way through a session whose headers were replaced meanwhile.
REMEMBERED = 3

Headers = Mapping[str, str]


class HeaderSessions:
    """The sessions for headers that come again and again; *make* opens one with these headers.

    Headers are told by identity: whoever sends the same object twice in a row most likely goes on with it.
    """

    __slots__ = ("_kept", "_last", "_make", "_worn")

    def __init__(self, make: Callable[[Headers], aiohttp.ClientSession]) -> None:
        """Hold none yet."""
        self._make = make
        self._kept: dict[bool, tuple[Headers, aiohttp.ClientSession]] = {}
        self._last: dict[bool, Headers] = {}
        self._worn: deque[aiohttp.ClientSession] = deque()

    def kept(self, headers: Headers, *, kind: bool) -> aiohttp.ClientSession | None:
        """Return the session that has *headers*, None where there is none yet."""
        kept = self._kept.get(kind)
        return kept[1] if kept is not None and kept[0] is headers else None

    def find(
        self, headers: Headers, full: Callable[[], Headers], *, kind: bool
    ) -> aiohttp.ClientSession | None:
        """Return the session with *headers*, None for those that never came twice; *full* are all to be sent.

        Of either *kind* of request there is one session at a time.
        """
        kept = self._kept.get(kind)
        if kept is not None and kept[0] is headers:
            return kept[1]
        if self._last.get(kind) is not headers:
            self._last[kind] = headers
            return None
        if kept is not None:
            self._worn.append(kept[1])
            if len(self._worn) > REMEMBERED:
                self._worn.popleft().detach()
        session = self._make(full())
        self._kept[kind] = (headers, session)
        return session

    def detach(self) -> None:
        """Let go of all of them; the connector is somebody else's."""
        for session in (*self._worn, *(session for _, session in self._kept.values())):
            session.detach()
        self._kept.clear()
        self._last.clear()
        self._worn.clear()
