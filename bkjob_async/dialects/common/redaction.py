"""Remove secrets from messages and details, also where a response repeats them."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from msgspec.structs import replace

from bkjob_async.errors import ErrorDetails
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.launches import ExecuteJobPlan, PushConfigFile, ScriptFields
from bkjob_async.model.operations.queries import RawCall

HIDDEN = "***"
# A text may be cut in the middle of a secret; so short a piece of it gives nothing away.
SHORTEST_SECRET = 3
# A shorter end of a path is the name of a resource, such as `callback`, not a token.
SHORTEST_TOKEN = 16

_NAMED = re.compile(
    r"""(\\*["']?\b(?:bk_)?(?:app_secret|token|ticket|signature|access_token|password)\\*["']?\s*[:=]\s*\\*["']?)"""
    r"""[^\s"'\\&,;}<]+""",
    re.IGNORECASE,
)

# Parameters of any operation by name: what is secret by its name, what is when another says so, and
# variables.
_SECRET_NAME = re.compile(r"passw|secret|token|ticket|cipher|credential|private_?key", re.IGNORECASE)
_SAYS_SENSITIVE = ("is_param_sensitive", "param_sensitive", "is_sensitive_param")
_PARAMETERS = ("script_param", "param_content")
_VARIABLES = ("global_var_list", "global_vars", "globalVars")


def redact_named(text: str) -> str:
    """Hide the text after the name of a credential."""
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def encodings_of(secret: str) -> tuple[str, ...]:
    """Return the encodings in which *secret* may be in a response, the longest first."""
    one_line = "".join(letter for letter in " ".join(secret.split()) if letter.isprintable())
    encodings = {
        secret,
        one_line,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(secret.encode()).decode(),
    }
    return tuple(sorted(filter(None, encodings), key=len, reverse=True))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return *text* without any of *secrets*, in any encoding, nor the beginning of one at its end."""
    for secret in secrets:
        for encoded in encodings_of(secret) if secret else ():
            text = _without(text, encoded)
            text = _without_cut_secret(text, encoded)
    return text


def _without(text: str, secret: str) -> str:
    """Return *text* without *secret*; one of a few letters is in many words, which give nothing away."""
    if len(secret) > SHORTEST_SECRET:
        return text.replace(secret, HIDDEN)
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)


def _without_cut_secret(text: str, secret: str) -> str:
    body = text.removesuffix("…")
    for length in range(min(len(secret) - 1, len(body)), SHORTEST_SECRET, -1):
        if body.endswith(secret[:length]):
            return body[:-length] + HIDDEN
    return text


def redact_details(details: ErrorDetails, secrets: Iterable[str]) -> ErrorDetails:
    """Return *details* with every secret hidden, in all fields."""
    held = tuple(secrets)
    return replace(
        details,
        code=_hidden(details.code, held),
        message=redact(details.message, held),
        request_ids=_hidden(details.request_ids, held),
        permission=_hidden(details.permission, held),
    )


def secrets_in(operation: Operation[Any]) -> tuple[str, ...]:
    """Return the secrets that *operation* has.

    Passwords, sensitive parameters, contents of files, tokens in a callback URL, and values of all variables,
    as only the platform knows which of them are ciphers.
    """
    found: Iterable[object]
    match operation:
        case ScriptFields():
            found = (
                operation.script_param if operation.is_param_sensitive else None,
                *_secret_values(getattr(operation, "host_password_list", ()), named=True),
            )
        case ExecuteJobPlan():
            found = (variable.value for variable in operation.global_vars)
        case RawCall():
            found = _secret_values(operation.parameters)
        case PushConfigFile():
            found = (_text_of(content) for content in operation.files.values())
        case _:
            found = ()
    found = (*found, *_callback_tokens(getattr(operation, "callback_url", None)))
    return tuple(secret for secret in found if isinstance(secret, str) and len(secret) > SHORTEST_SECRET)


def _text_of(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode(errors="replace")


def _callback_tokens(url: str | None) -> Iterator[str]:
    """Yield what may be a token in a callback URL: its password, the values of its query, and a long end of its path."""
    if not url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:  # not a URL, so that any part of it may be the token
        yield url
        return
    yield from (value for _, value in parse_qsl(parts.query))
    yield from re.findall(r"://[^/@]*:([^/@]+)@", url)
    name = parts.path.rpartition("/")[2]
    if len(name) >= SHORTEST_TOKEN:
        yield name


def _secret_values(given: object, *, named: bool = False, variables: bool = False) -> Iterator[str]:
    """Yield the texts under names of secrets, at any depth, and the values of *variables*."""
    if isinstance(given, str):
        if named:
            yield given
    elif isinstance(given, Mapping):
        sensitive = any(given.get(name) for name in _SAYS_SENSITIVE)
        for name, value in given.items():
            is_secret = bool(_SECRET_NAME.search(str(name))) or (sensitive and name in _PARAMETERS)
            yield from _secret_values(
                value,
                named=named or is_secret or (variables and name == "value"),
                variables=name in _VARIABLES,
            )
    elif isinstance(given, list | tuple):
        for item in given:
            yield from _secret_values(item, named=named, variables=variables)


def _hidden(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {_hidden(name, secrets): _hidden(item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, secrets) for item in value]
    return value
