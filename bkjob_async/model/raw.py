"""An answer's plain data, decoded from its bytes when it is first wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class RawAnswer:
    """The body of one answer, and what of it a snapshot is about.

    Keeping it costs the bytes as they came; nothing is decoded before `data` or `step` is asked for.
    """

    __slots__ = ("_body", "_data")

    def __init__(self, body: bytes) -> None:
        """Keep *body*, JSON with its data under `data`."""
        self._body = body
        self._data: Mapping[str, Any] | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """The whole `data`, empty for a body without one."""
        if self._data is None:
            found = decoded(self._body)
            self._data = found if isinstance(found, dict) else {}
        return self._data

    def step(self, step_instance_id: int) -> Mapping[str, Any]:
        """Return what was said of one step: its object in the lists of a job, else the whole data."""
        for each in objects_in_lists(self.data):
            if str(each.get("step_instance_id")) == str(step_instance_id):
                return each
        return self.data


def decoded(body: bytes) -> Any:
    """Return the data of a body that was read before, in whichever encoding."""
    text = body.removeprefix(b"\xef\xbb\xbf")
    try:
        envelope = msgspec.json.decode(text)
    except UnicodeDecodeError:
        envelope = msgspec.json.decode(text.decode(errors="replace"))
    return envelope.get("data") if isinstance(envelope, dict) else None


def objects_in_lists(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of each list in *data*, those of lists inside them, too, but no deeper."""
    for value in data.values():
        for each in value if isinstance(value, list) else ():
            if isinstance(each, dict):
                yield each
                inner = (item for items in each.values() if isinstance(items, list) for item in items)
                yield from (item for item in inner if isinstance(item, dict) and "step_instance_id" in item)
