"""A server that accepts no connection, as behind a firewall that drops packets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from yarl import URL


@contextmanager
def full_server() -> Iterator[URL]:
    """Return the URL of a server with which no connection opens, nor is refused; Linux only."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):  # more than wait for who accepts none
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield URL.build(scheme="http", host="127.0.0.1", port=server.getsockname()[1])
