"""Read the JSON of the platform, in whichever encoding."""

import json
import re
from typing import Any, NoReturn

import msgspec

# A surrogate pair, else half of one, else any other escape.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# Longer whole numbers are infinite: reading them takes long, and Python refuses it.
_LONGEST_INTEGER = 1000


def parse_json(body: bytes) -> Any:
    """Return the JSON value of *body*; raise ValueError for invalid JSON.

    Characters of another encoding than UTF-8, and halves of surrogate pairs, are replaced, and numbers beyond all
    floats are infinite, so that the rest of the response can be read.
    """
    text = body.removeprefix(b"\xef\xbb\xbf")
    try:
        try:
            return msgspec.json.decode(text)
        except (msgspec.ValidationError, UnicodeDecodeError):
            return _decode_unusual(text)
        except msgspec.DecodeError:
            if b"\\ud" not in text and b"\\uD" not in text:
                raise
            return _decode_unusual(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error


def _decode_unusual(body: bytes) -> Any:
    """Return the value of a *body* that is no JSON to msgspec."""
    text = _without_halves(body)
    try:
        try:
            return msgspec.json.decode(text)
        except UnicodeDecodeError:
            return msgspec.json.decode(text.decode(errors="replace"))
    except msgspec.ValidationError:  # a number is out of range
        return json.loads(text.decode(errors="replace"), parse_int=_integer, parse_constant=_refuse)


def _without_halves(text: bytes) -> bytearray:
    """Return *text* with the usual letter for a lost one, which is as long, in place of half a surrogate pair."""
    whole = bytearray(text)
    for found in _ESCAPE.finditer(text):
        if found[1] is not None:
            whole[found.start() : found.end()] = rb"\ufffd"
    return whole


def _integer(digits: str) -> float:
    """Return a whole number, infinity for a longer one than any float."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _refuse(name: str) -> NoReturn:
    """Raise ValueError: this is no JSON."""
    raise ValueError(name)
