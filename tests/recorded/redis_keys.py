"""Copy the keys of a Redis server to JSON, and back: a dump of the server's own is tied to its version."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from redis import Redis

Fields = list[list[str]]


def dump(url: str) -> dict[str, dict[str, Any]]:
    """Return the type and content of every key."""
    with Redis.from_url(url) as server:
        kinds = {key: server.type(key).decode() for key in sorted(server.keys())}
        return {key.decode(): {kind: _content(server, key, kind)} for key, kind in kinds.items()}


def _content(server: Any, key: bytes, kind: str) -> Any:
    match kind:
        case "hash":
            return _texts(server.hgetall(key))
        case "list":
            return [_text(value) for value in server.lrange(key, 0, -1)]
        case "stream":
            return [[place.decode(), _texts(fields)] for place, fields in server.xrange(key)]
        case "string":
            return _text(server.get(key))
        case _:
            raise ValueError(f"{key!r} is a {kind}: say here how to copy it")


def restore(url: str, keys: dict[str, dict[str, Any]]) -> None:
    """Write keys that `dump` returned into an empty server."""
    with Redis.from_url(url) as server:
        for key, held in keys.items():
            ((kind, content),) = held.items()
            match kind:
                case "hash":
                    server.hset(key, mapping=_bytes(content))
                case "list":
                    server.rpush(key, *map(b64decode, content))
                case "stream":
                    for place, fields in content:
                        server.xadd(key, _bytes(fields), id=place)
                case _:
                    server.set(key, b64decode(content))


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _texts(fields: dict[bytes, bytes]) -> Fields:
    return [[name.decode(), _text(value)] for name, value in fields.items()]


def _bytes(fields: Fields) -> dict[Any, Any]:
    return {name: b64decode(value) for name, value in fields}
