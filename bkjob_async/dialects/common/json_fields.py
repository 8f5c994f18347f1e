"""Lenient reading of JSON: numbers sent as text, nulls, times of every kind."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from bkjob_async.errors import ErrorDetails, InvalidResponse
from bkjob_async.model.snapshot import Times
from bkjob_async.model.structures.unix_time import EPOCH, LATEST, from_unix_time

# The zone of the platform's servers, for times without one; it has had no summer time since 1991.
DEFAULT_ZONE: tzinfo = timezone(timedelta(hours=8), "Asia/Shanghai")

INT64 = 2**63

# Units of durations: `esb-job` has seconds, all newer dialects milliseconds.
SECONDS = 1.0
MILLISECONDS = 1000.0

_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,19}(\.0{1,9})?")
_BROKEN_TIME = re.compile(r"(\d)\s+(?=[+-]\d\d:?\d\d$|Z$)")
# 1 and 0 are equal to True and False as keys.
_FLAGS = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}


def unexpected_value(path: str, expected: str, found: object) -> InvalidResponse:
    """Return the error that names a value's path and kind, never the value."""
    kind = _KINDS.get(type(found), "something else")
    return InvalidResponse(ErrorDetails(message=f"{path}: expected {expected}, found {kind}"))


def as_integer(value: object) -> int | None:
    """Return a whole number, also one sent as text or float; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        value = int(text.partition(".")[0]) if _WHOLE_NUMBER.fullmatch(text) else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and -INT64 <= value < INT64 else None


def as_number(value: object) -> float | None:
    """Return a number, also one sent as text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value.strip())
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < INT64:
        return None
    return float(value)


def as_flag(value: object) -> bool | None:
    """Return a boolean, also one sent as text or as 0 and 1; None for anything else."""
    key = value.strip().lower() if isinstance(value, str) else value
    return _FLAGS.get(key) if isinstance(key, bool | int | str) else None


def as_time(value: object, zone: tzinfo = DEFAULT_ZONE) -> datetime | None:
    """Return a time with a zone; None for nothing, zero, what cannot be read, and what not every zone has.

    Numbers are Unix milliseconds (seconds where they are too small for that), text is ISO or `YYYY-MM-DD
    HH:mm:ss` with or without an offset; without one it is in *zone*.
    """
    number = as_integer(value)
    if number is not None:
        return from_unix_time(number)
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(_BROKEN_TIME.sub(r"\1", value.strip()))
    except ValueError:
        return None
    time = read if read.tzinfo else read.replace(tzinfo=zone)
    return time if EPOCH < time < LATEST else None


class JsonObject:
    """One JSON object of a response, `members`, and its path there.

    Each method takes one or several names of the same member, and reads the first that is present and not
    null. A missing required member, and a value of a wrong kind, raise `InvalidResponse` with the path.
    """

    __slots__ = ("members", "path", "zone")

    def __init__(self, value: object, path: str = "$", zone: tzinfo = DEFAULT_ZONE) -> None:
        """Read *value*, found at *path*; times without a zone are in *zone*."""
        if not isinstance(value, dict):
            raise unexpected_value(path, "an object", value)
        self.members: dict[str, Any] = value
        self.path = path
        self.zone = zone

    def has(self, name: str) -> bool:
        """Return True when the object has this member, even a null."""
        return name in self.members

    def get(self, *names: str) -> Any:
        """Return the first of *names* that is not null, unchanged."""
        return self._find(names)[1]

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            value = self.members.get(name)
            if value is not None:
                return name, value
        return names[0], None

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}"

    def integer(self, *names: str) -> int:
        """Return a whole number that is required."""
        value = self.maybe_integer(*names)
        if value is None:
            raise unexpected_value(self._at(names[0]), "a whole number", None)
        return value

    def maybe_integer(self, *names: str) -> int | None:
        """Return a whole number, None where there is none."""
        name, value = self._find(names)
        if value is None or value == "":
            return None
        number = as_integer(value)
        if number is None:
            raise unexpected_value(self._at(name), "a whole number", value)
        return number

    def identity(self, *names: str) -> int:
        """Return an id, a positive whole number, that is required."""
        value = self.maybe_identity(*names)
        if value is None:
            raise unexpected_value(self._at(names[0]), "a positive whole number", self.get(*names))
        return value

    def maybe_identity(self, *names: str) -> int | None:
        """Return an id; None where there is none, for 0 and for -1, which mean none."""
        value = self.maybe_integer(*names)
        return value if value is not None and value > 0 else None

    def number(self, *names: str) -> float | None:
        """Return a number, None where there is none."""
        name, value = self._find(names)
        if value is None or value == "":
            return None
        number = as_number(value)
        if number is None:
            raise unexpected_value(self._at(name), "a number", value)
        return number

    def text(self, *names: str) -> str:
        """Return a text, empty where there is none."""
        return self.maybe_text(*names) or ""

    def maybe_text(self, *names: str) -> str | None:
        """Return a text, None where there is none; a number becomes text."""
        name, value = self._find(names)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise unexpected_value(self._at(name), "text", value)
        return value

    def texts(self, *names: str) -> tuple[str, ...]:
        """Return a list of texts, empty where there is none."""
        name, value = self._find(names)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise unexpected_value(self._at(name), "a list of texts", value)
        return tuple(value)

    def flag(self, *names: str) -> bool | None:
        """Return a boolean, None where there is none."""
        name, value = self._find(names)
        if value is None:
            return None
        flag = as_flag(value)
        if flag is None:
            raise unexpected_value(self._at(name), "a boolean", value)
        return flag

    def time(self, *names: str) -> datetime | None:
        """Return a time with a zone, None where there is none or it cannot be read."""
        return as_time(self._find(names)[1], self.zone)

    def child(self, *names: str) -> JsonObject:
        """Return an object that is required."""
        name, value = self._find(names)
        return JsonObject(value, self._at(name), self.zone)

    def maybe_child(self, *names: str) -> JsonObject | None:
        """Return an object, None where there is none."""
        name, value = self._find(names)
        return None if value is None else JsonObject(value, self._at(name), self.zone)

    def children(self, *names: str) -> list[JsonObject] | None:
        """Return a list of objects, None where there is none."""
        name, value = self._find(names)
        if value is None:
            return None
        path = self._at(name)
        if not isinstance(value, list):
            raise unexpected_value(path, "a list", value)
        return [JsonObject(item, f"{path}[{index}]", self.zone) for index, item in enumerate(value)]


def read_times(fields: JsonObject, *, unit: float) -> Times:
    """Read the times of an object; *unit* is how many units of its duration are a second."""
    total = fields.number("total_time")
    return Times(
        create_time=fields.time("create_time"),
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
        total_time=None if total is None else total / unit,
    )
