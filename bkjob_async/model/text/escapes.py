"""JSON that is safe on a terminal."""

import json


def json_escaped(text: str) -> str:
    """Return JSON with its own escapes in place of what is not printable, but for the ends of lines."""
    # JSON has no other control character of ASCII than this one.
    if text.isprintable() or (text.isascii() and "\x7f" not in text):
        return text
    return "".join(c if c.isprintable() or c == "\n" else json_escape(c) for c in text)


def json_escape(character: str) -> str:
    """Return the escape of a character: two of them, as JSON has it, beyond the first 65 536."""
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    return json.dumps(character)[1:-1]
