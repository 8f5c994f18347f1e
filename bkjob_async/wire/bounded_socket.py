"""Sockets that give one turn of the event loop only as many bytes as it can parse in a short time."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# aiohttp parses all bytes of one read at once, and cannot stop halfway: 256 KiB of tiny chunks or of interim responses
# would block the event loop for a tenth of a second. A TLS record, which is decrypted as a whole, has 16 KiB.
MAX_READ = 16 * 1024
# No read begins later in a turn of the event loop than this many seconds after its first one.
MAX_TURN = 0.01


class ReadTurns:
    """Shares the time of each turn of an event loop among the sockets that could read in it.

    Once a turn has lasted too long, the other sockets have to wait for the next. There they come before those that have
    read already: a *round* lasts until nobody had to wait. asyncio's selector loops offer an unread socket in each turn.
    """

    __slots__ = ("_call_soon", "_clock", "_has_waiting", "_start", "round")

    def __init__(self, clock: Callable[[], float], call_soon: Callable[[Callable[[], None]], object]) -> None:
        """Use the clock of an event loop; *call_soon* calls a function in its next turn."""
        self._clock = clock
        self._call_soon = call_soon
        self._start: float | None = None
        self._has_waiting = False
        self.round = 1

    def may_read(self, last_round: int) -> bool:
        """Return whether a socket that has last read in *last_round* may read now."""
        now = self._clock()
        if self._start is None:
            self._start = now
            self._call_soon(self._end_turn)
        if last_round == self.round:
            return False
        if now - self._start > MAX_TURN:
            self._has_waiting = True
            return False
        return True

    def _end_turn(self) -> None:
        self._start = None
        if not self._has_waiting:
            self.round += 1
        self._has_waiting = False


class BoundedSocket(socket.socket):
    """A socket that receives few bytes at a time, and none while its turn of the event loop has no time left.

    Reads into a buffer are not bounded: those are the fast path's, which parses quickly.
    """

    __slots__ = ("_round", "_turns")

    def __init__(self, address: aiohttp.AddrInfoType, turns: ReadTurns) -> None:
        """Create a socket for an *address* that aiohttp has resolved."""
        family, kind, protocol, *_ = address
        super().__init__(family, kind, protocol)
        self._turns = turns
        self._round = 0

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive at most MAX_READ bytes; raise `BlockingIOError` while it is not this socket's turn."""
        self._take_turn()
        return super().recv(min(bufsize, MAX_READ), flags)

    def _take_turn(self) -> None:
        if not self._turns.may_read(self._round):
            raise BlockingIOError
        self._round = self._turns.round


class BoundedTlsSocket(BoundedSocket):
    """A bounded socket for connections with TLS, for which asyncio reads into a buffer."""

    __slots__ = ()

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive at most MAX_READ bytes; raise `BlockingIOError` while it is not this socket's turn."""
        self._take_turn()
        return super().recv_into(buffer, min(nbytes or MAX_READ, MAX_READ, memoryview(buffer).nbytes), flags)
