"""The sources of a profile's secrets: texts that name where a secret is, never the secret itself."""

from __future__ import annotations

import json
import re
from typing import Literal

from attrs import field, frozen

from bkjob_async.model.base_error import UsageError

FORMS = 'env:NAME, keyring:NAME or command:["pass", "show", "NAME"]'
_NAME = re.compile(r"[^\s:][^\n]{0,199}")


@frozen
class SecretSource:
    """Where a secret is: a variable of the environment, an entry of the keyring, or a program that writes it.

    *words* are the name of the variable or the entry, or the program with its arguments. These are not shown: one may be
    a secret after all.
    """

    kind: Literal["env", "keyring", "command"]
    words: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind}:{self.words[0]}"


def parse_sources(given: object, where: str) -> tuple[SecretSource, ...]:
    """Read one source, or a list of them in their order; raise `UsageError`, which never repeats what was given."""
    texts = given if isinstance(given, list) else [given]
    if not texts:
        raise UsageError(f"{where} names no source: give {FORMS}")
    return tuple(parse_source(text, where) for text in texts)


def parse_source(text: object, where: str) -> SecretSource:
    """Read one source; raise `UsageError`."""
    kind, colon, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    if colon and kind == "env" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", rest):
        return SecretSource("env", (rest,))
    if colon and kind == "keyring" and _NAME.fullmatch(rest):
        return SecretSource("keyring", (rest,))
    if colon and kind == "command":
        return SecretSource("command", parse_argv(rest, where))
    raise UsageError(f"{where} names a source of the secret, and never the secret itself: give {FORMS}")


def parse_argv(text: str, where: str) -> tuple[str, ...]:
    """Read a program and its arguments, a JSON list of texts; raise `UsageError`."""
    try:
        argv = json.loads(text)
    except (ValueError, RecursionError):  # also lists without end
        argv = None
    if (
        not isinstance(argv, list)
        or not argv
        or not argv[0]
        or not all(isinstance(word, str) for word in argv)
    ):
        raise UsageError(f'{where}: a command is a list of texts: command:["pass", "show", "NAME"]')
    return tuple(argv)
