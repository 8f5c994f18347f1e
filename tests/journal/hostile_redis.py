"""A server that passes commands on to a Redis server, and answers one of them with what no Redis server says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from bkjob_async.journal.redis import scripts
from tests.journal.redis_server import RedisServer

MIB = 1 << 20
# Answers, whatever was asked. The last one is sent before the connection is closed.
ANSWERS: dict[str, bytes] = {
    "nothing": b"$-1\r\n",
    "no list": b"*-1\r\n",
    "an empty list": b"*0\r\n",
    "an empty text": b"$0\r\n\r\n",
    "a number": b":7\r\n",
    "a negative number": b":-7\r\n",
    "a number of 5000 digits": b":" + b"9" * 5000 + b"\r\n",
    "ok": b"+OK\r\n",
    "a text": b"$5\r\nhello\r\n",
    "no text": b"$4\r\n\xff\xfe\x00\x80\r\n",
    "lists in lists": b"*1\r\n" * 50 + b"*0\r\n",
    "a thousand lists in lists": b"*1\r\n" * 5000 + b"*0\r\n",
    "lists, said to be right": b"*4\r\n$2\r\nok\r\n*1\r\n:1\r\n*1\r\n:1\r\n*1\r\n:1\r\n",
    "texts, said to be right": b"*6\r\n$2\r\nok\r\n" + b"$3\r\nabc\r\n" * 5,
    "one text, said to be right": b"*2\r\n$2\r\nok\r\n$3\r\nabc\r\n",
    "times that are none": b"*6\r\n$2\r\nok\r\n$1\r\n1\r\n$3\r\nnan\r\n$3\r\ninf\r\n$5\r\n1e999\r\n$1\r\n0\r\n",
    "nothing else, said to be right": b"*1\r\n$2\r\nok\r\n",
    "superseded by nobody": b"*2\r\n$10\r\nsuperseded\r\n:7\r\n",
    "behind nowhere": b"*3\r\n$6\r\nbehind\r\n$1\r\nx\r\n*0\r\n",
    "busy with lists": b"*4\r\n$4\r\nbusy\r\n*0\r\n*0\r\n*0\r\n",
    "a new version of lists": b"*2\r\n$3\r\nnew\r\n*0\r\n",
    "an unknown word": b"*2\r\n$5\r\nhello\r\n:1\r\n",
    "odd fields": b"*3\r\n$4\r\nterm\r\n$1\r\n1\r\n$4\r\nhost\r\n",
    "fields of lists": b"*4\r\n*0\r\n*0\r\n*1\r\n*0\r\n$1\r\n1\r\n",
    "a row that never ends": b"*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nd\r\n$1\r\nx\r\n",
    "a page of one part, again and again": b"*3\r\n$2\r\nok\r\n$1\r\n2\r\n*1\r\n$1\r\nx\r\n",
    "an error": b"-ERR hello\r\n",
    "an error in a list": b"*2\r\n$2\r\nok\r\n-ERR hello\r\n",
    "an error that repeats everything": b"-ERR unknown command, with args beginning with: {asked}\r\n",
    "a wrong place": b"-MOVED x y\r\n",
    "a wrong type": b"-WRONGTYPE hello\r\n",
    "a map": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    "a push": b">2\r\n$6\r\nMOVING\r\n:1\r\n",
    "a true": b"#t\r\n",
    "no protocol": b"HTTP/1.1 200 OK\r\n\r\n",
    "a large text": b"$500000000\r\n" + b"x" * MIB,
    "many elements": b"*500000000\r\n" + b":1\r\n" * 100_000,
    "a part": b"*3\r\n$2\r\nok\r\n$100\r\nx",
    "the end": b"",
}
# The beginning of an answer, and what is sent until 500 MiB are sent.
FLOODS = {
    "a flood of text": (b"$500000000\r\n", b"x" * MIB),
    "a flood of elements": (b"*500000000\r\n", b":1\r\n" * 100_000),
}
# A full page of a checkpoint, whichever is asked for.
ENDLESS = {
    "a checkpoint without end": b"*4\r\n$2\r\nok\r\n$1\r\n2\r\n*1\r\n$%d\r\n%s\r\n:1\r\n" % (MIB, b"x" * MIB),
}
CLOSING = ("a part", "the end", "a large text", "many elements")
SCRIPTS = {
    scripts.sha_of(script): name
    for name, script in vars(scripts).items()
    if isinstance(script, str) and name[0].isalpha()
}


def name_of(words: Sequence[bytes]) -> str:
    """Return the name of a command, for a script the script's."""
    name = words[0].decode().upper()
    return SCRIPTS.get(words[1].decode(), name) if name == "EVALSHA" else name


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """Return one answer, as its bytes."""
    head = await reader.readuntil(b"\r\n")
    size = int(head[1:]) * (1 + head.startswith(b"%")) if head[:1] in (b"$", b"*", b"%") else -1
    if head[:1] == b"$" and size >= 0:
        return head + await reader.readexactly(size + 2)
    return head + b"".join([await read_answer(reader) for _ in range(size)])


@define
class HostileRedis:
    """Answers the command named *victim* with *answer*, all others as the server behind it does; keeps their names."""

    server: RedisServer
    url: str = ""
    victim: str = ""
    answer: str = ""
    asked: list[str] = field(factory=list)
    connections: set[asyncio.Task[object]] = field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        connection = asyncio.current_task()
        assert connection is not None
        self.connections.add(connection)
        own, own_writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            while True:
                command = await read_answer(reader)
                words = command.split(b"\r\n")[2::2]
                name = name_of(words)
                self.asked.append(name)
                if name == self.victim:
                    await self._say(writer, words)
                    if self.answer in CLOSING:
                        return
                elif name == "AUTH":
                    writer.write(b"+OK\r\n")
                else:
                    if name == "HELLO":  # whatever the password
                        command = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"
                    own_writer.write(command)
                    writer.write(await read_answer(own))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            own_writer.close()
            writer.close()
            self.connections.discard(connection)

    async def _say(self, writer: asyncio.StreamWriter, words: Sequence[bytes]) -> None:
        """Say what was chosen: an answer, a flood, or the beginning of one."""
        if self.answer in FLOODS:
            head, again = FLOODS[self.answer]
            writer.write(head)
            for _ in range(500 * MIB // len(again)):
                writer.write(again)
                await writer.drain()
        answer = (ANSWERS | ENDLESS).get(self.answer, b"")
        writer.write(answer.replace(b"{asked}", b" ".join(words)[:200]))
        await writer.drain()


@asynccontextmanager
async def hostile_to(server: RedisServer, password: str) -> AsyncIterator[HostileRedis]:
    """Serve on a loopback port, in front of *server*; clients give a *password*."""
    hostile = HostileRedis(server)
    listening = await asyncio.start_server(hostile.serve, "127.0.0.1", 0)
    hostile.url = f"redis://me:{password}@127.0.0.1:{listening.sockets[0].getsockname()[1]}/2"
    try:
        yield hostile
    finally:
        listening.close()
        for connection in hostile.connections:
            connection.cancel()
        await asyncio.gather(*hostile.connections, return_exceptions=True)
