"""Read the JSON of the platform, in whichever encoding."""

from typing import Any

import msgspec


def parse_json(body: bytes) -> Any:
    """Return the JSON value of *body*; raise ValueError for invalid JSON.

    Characters of another encoding than UTF-8 are replaced, so that the response can still be read.
    """
    text = body.removeprefix(b"\xef\xbb\xbf")
    try:
        try:
            return msgspec.json.decode(text)
        except UnicodeDecodeError:
            return msgspec.json.decode(text.decode(errors="replace"))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
