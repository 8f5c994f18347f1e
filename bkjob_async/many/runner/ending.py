"""See at once that a runner on this machine has ended, whatever ended it: it has a socket open, which the kernel closes.

The socket is a Unix socket of Linux without a file, named after one term of one shard. It is only listened at. A process of the
same machine that was connected to it sees the connection end when the runner does, also by `kill -9`. One that never was
connected knows nothing: the runner may be on another machine, or in another network namespace.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import struct
import sys
from types import TracebackType
from typing import Self

from bkjob_async.journal.store import Holder

# So many processes of a machine may be connected.
CONNECTIONS = 64


def socket_name(fleet: str, created: float, shard: int, term: int, holder: Holder) -> str:
    """Return the name of the socket that *holder* has open in *term*, of the fleet that was created at this time."""
    whole = f"{fleet}/{created:.6f}/{shard}/{term}/{holder.host}/{holder.pid}"
    return "\0bkjob-" + hashlib.blake2s(whole.encode(), digest_size=16).hexdigest()


class RunnerSocket:
    """The socket of the runner of a *shard*, for its *term*; none where there can be none.

    It is to be closed when the term was given back: until then the runner may store something.
    """

    def __init__(self, fleet: str, created: float, shard: int, holder: Holder) -> None:
        """Prepare; `follow` opens it."""
        self._fleet, self._created, self._shard, self._holder = fleet, created, shard, holder
        self.term = 0
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def follow(self, term: int) -> None:
        """Have the socket of this term open, in place of that of an earlier one."""
        if term == self.term:
            return
        self._close()
        self.term = term
        if sys.platform != "linux":
            return
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.bind(socket_name(self._fleet, self._created, self._shard, term, self._holder))
            opened.listen(CONNECTIONS)
        except OSError:  # then others wait until the runner is silent
            opened.close()
        else:
            self._socket = opened

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def connected(name: str) -> socket.socket | None:
    """Return a connection to the socket of this *name*, None where no process of our own user has it open here."""
    if sys.platform != "linux":
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        connection.connect(name)
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, user, _ = struct.unpack("3i", credentials)
    except OSError:  # also one to which too many are connected
        connection.close()
        return None
    if user != os.geteuid():
        connection.close()
        return None
    return connection


async def has_ended(connection: socket.socket) -> bool:
    """Wait for the end of a *connection*; return True where the runner has closed it, or the kernel for it."""
    try:
        return not await asyncio.get_running_loop().sock_recv(connection, 1)
    except ConnectionResetError:
        return True
    except OSError:
        return False
    finally:
        connection.close()
