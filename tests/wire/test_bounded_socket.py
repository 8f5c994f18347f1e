"""How sockets share the time of a turn of the event loop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from bkjob_async.wire.bounded_socket import MAX_READ, MAX_TURN, BoundedSocket, BoundedTlsSocket, ReadTurns


class Loop:
    """An event loop by hand: *now* is its clock, `next_turn` begins its next turn."""

    def __init__(self) -> None:
        self.now = 0.0
        self._soon: list[Callable[[], None]] = []

    def time(self) -> float:
        """Return the time."""
        return self.now

    def next_turn(self) -> None:
        """Begin a turn."""
        soon, self._soon = self._soon, []
        for call in soon:
            call()

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call a function in the next turn."""
        self._soon.append(call)


Made = tuple[BoundedSocket, socket.socket]


@pytest.fixture(params=[BoundedSocket, BoundedTlsSocket])
def connections(request: pytest.FixtureRequest) -> Iterator[tuple[Loop, list[Made]]]:
    """Return a loop and three connections that share its turns, each with the server's end of it."""
    loop = Loop()
    turns = ReadTurns(loop.time, loop.call_soon)
    made: list[Made] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname())
        for _ in range(3):
            client = request.param(address, turns)
            client.settimeout(5.0)
            client.connect(server.getsockname())
            made.append((client, server.accept()[0]))
        yield loop, made
    for ends in made:
        for end in ends:
            end.close()


def read(client: BoundedSocket, size: int = 1) -> bytes | None:
    """Read as asyncio would, None where it has to try again."""
    with suppress(BlockingIOError):
        if isinstance(client, BoundedTlsSocket):
            buffer = bytearray(size)
            return bytes(buffer[: client.recv_into(buffer)])
        return client.recv(size)
    return None


def test_one_read_returns_a_bounded_number_of_bytes(connections: tuple[Loop, list[Made]]) -> None:
    """The rest comes with the next reads, in later turns."""
    loop, [(client, server), *_] = connections
    server.sendall(b"x" * 3 * MAX_READ)
    sizes: list[int] = []
    while sum(sizes) < 3 * MAX_READ:
        sizes.append(len(read(client, 16 * MAX_READ) or b""))
        loop.next_turn()

    assert max(sizes) <= MAX_READ


def test_a_turn_that_lasts_long_reads_no_more(connections: tuple[Loop, list[Made]]) -> None:
    """In the next ones those come first that had to wait, whichever the loop asks first."""
    loop, made = connections
    for _, server in made:
        server.sendall(b"xxxx")
    turns = []
    for _ in range(6):
        answers = []
        for client, _ in made:
            answers.append(bool(read(client)))
            loop.now += 0.6 * MAX_TURN * answers[-1]
        turns.append(answers)
        loop.next_turn()

    first, second = [True, True, False], [False, False, True]
    assert turns == [first, second, first, second, first, second]


def test_a_connection_that_went_away_holds_up_nobody(connections: tuple[Loop, list[Made]]) -> None:
    """It had to wait, and is never asked again."""
    loop, [(one, server), (other, _), *_] = connections
    server.sendall(b"xxxx")
    assert read(one)
    loop.now += 2 * MAX_TURN
    assert read(other) is None
    loop.next_turn()
    assert read(one) is None
    loop.next_turn()

    assert read(one)


def test_part_of_a_buffer_may_be_asked_for(connections: tuple[Loop, list[Made]]) -> None:
    """As of any other socket."""
    loop, [(client, server), *_] = connections
    server.sendall(b"abcdef")
    buffer = bytearray(4)

    assert client.recv_into(buffer, 2) == 2
    loop.next_turn()
    assert client.recv_into(memoryview(buffer)[2:]) == 2
    assert buffer == b"abcd"
