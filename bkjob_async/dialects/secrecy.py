"""Keeping secrets out of what people read, even where an answer echoes them."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from attrs import evolve

from bkjob_async.errors import CallFacts

HIDDEN = "***"
# A text may be cut in the middle of a secret; so short a piece of it gives nothing away.
HARMLESS = 3

_NAMED = re.compile(
    r"""(\\*["']?\b(?:bk_)?(?:app_secret|token|ticket|signature|access_token|password)\\*["']?\s*[:=]\s*\\*["']?)"""
    r"""[^\s"'\\&,;}<]+""",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """Hide whatever stands behind the name of a credential."""
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def spellings(secret: str) -> tuple[str, ...]:
    """Return the ways in which *secret* may stand in an answer, the longest first."""
    one_line = "".join(letter for letter in " ".join(secret.split()) if letter.isprintable())
    ways = {
        secret,
        one_line,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(secret.encode()).decode(),
    }
    return tuple(sorted(filter(None, ways), key=len, reverse=True))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return *text* without any of *secrets*, in whatever spelling, nor the beginning of one at its end."""
    for secret in secrets:
        for way in spellings(secret) if secret else ():
            text = text.replace(way, HIDDEN)
            text = _without_cut_secret(text, way)
    return text


def _without_cut_secret(text: str, secret: str) -> str:
    body = text.removesuffix("…")
    for length in range(min(len(secret) - 1, len(body)), HARMLESS, -1):
        if body.endswith(secret[:length]):
            return body[:-length] + HIDDEN
    return text


def redacted(facts: CallFacts, secrets: Iterable[str]) -> CallFacts:
    """Return *facts* with every secret hidden, wherever the platform put it."""
    held = tuple(secrets)
    return evolve(
        facts,
        code=_hidden(facts.code, held),
        message=redact(facts.message, held),
        request_ids=_hidden(facts.request_ids, held),
        permission=_hidden(facts.permission, held),
    )


def _hidden(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {_hidden(name, secrets): _hidden(item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, secrets) for item in value]
    return value
