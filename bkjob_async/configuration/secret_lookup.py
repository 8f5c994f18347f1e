"""Fetch a secret from where it is kept: the environment, the keyring, a program, the user."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

from bkjob_async.configuration.secrets import SecretSource
from bkjob_async.configuration.settings import Found, Settings, envvar_of, takes_access_token, user_names
from bkjob_async.model.base_error import UsageError
from bkjob_async.model.credentials import AccessToken, AppCredentials, Credentials

SERVICE = "bkjob"
# A program may ask for a passphrase or a touch of a key.
COMMAND_SECONDS = 120

Ask = Callable[[str], str]

logger = logging.getLogger("bkjob_async")


class SecretLookup:
    """Looks secrets up, one source after the other; says once that there is no keyring.

    *ask* asks the user without showing the answer; None where nobody can be asked. *say* takes a note, by default the log.
    Programs that write secrets run within what *around* returns.
    """

    def __init__(
        self,
        ask: Ask | None = None,
        *,
        say: Callable[[str], object] = logger.warning,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Ask the user by *ask* for what no source has."""
        self._ask = ask
        self._say = say
        self._around = around
        self._has_said: set[str] = set()

    def credentials(self, settings: Settings) -> Credentials:
        """Return the credentials that *settings* name; raise `UsageError` naming what is missing."""
        if takes_access_token(settings):
            return AccessToken(access_token=self._secret("access_token", settings.found["access_token"]))
        app_code = settings.get("app_code")
        if app_code is None:
            missing = [name for name in ("app_code", "app_secret") if name not in settings.found]
            variables = " and ".join(map(envvar_of, missing))
            raise UsageError(
                f"set {variables} in the environment (or BKJOB_ACCESS_TOKEN), or name them in a profile;"
                " see bkjob config --help"
            )
        names = user_names(settings)
        return AppCredentials(
            bk_app_code=app_code,
            bk_app_secret=self._secret("app_secret", settings.found.get("app_secret")),
            bk_username=settings.get("username") if "username" in names else None,
            bk_token=self._optional("bk_token", names, settings),
            bk_ticket=self._optional("bk_ticket", names, settings),
        )

    def _optional(self, name: str, names: Sequence[str], settings: Settings) -> str | None:
        return self._secret(name, settings.found[name]) if name in names else None

    def _secret(self, name: str, found: Found | None) -> str:
        """Return a secret from the environment, or its first source that has it, or the user."""
        if found is not None and isinstance(found.value, str):
            return found.value
        sources: tuple[SecretSource, ...] = found.value if found is not None else ()
        for source in sources:
            secret = self._from(source)
            if secret:
                return secret
        if self._ask is not None:
            secret = self._ask(name)
            if secret:
                return secret
        tried = f"; tried {', '.join(map(str, sources))}" if sources else ""
        raise UsageError(f"set {envvar_of(name)} in the environment: there is no {name}{tried}")

    def _from(self, source: SecretSource) -> str | None:
        match source.kind:
            case "env":
                return os.environ.get(source.words[0], "").strip()
            case "keyring":
                return self._from_keyring(source.words[0])
            case "command":
                with self._around():
                    return from_command(source)

    def _from_keyring(self, name: str) -> str | None:
        try:
            keyring: Any = import_module("keyring")
        except ModuleNotFoundError:
            self._say_once("there is no keyring here: pip install 'bkjob-async[keyring]'")
            return None
        try:
            secret: str | None = keyring.get_password(SERVICE, name)
        except Exception as error:  # noqa: BLE001 - a backend's own; its text may say anything
            self._say_once(f"the keyring cannot be used ({type(error).__name__}); the next source is tried")
            return None
        return secret

    def _say_once(self, note: str) -> None:
        if note not in self._has_said:
            self._has_said.add(note)
            self._say(note)


def from_command(source: SecretSource) -> str:
    """Return the first line that a program writes; raise `UsageError`, without what it wrote."""
    try:
        done = subprocess.run(source.words, stdout=subprocess.PIPE, check=False, timeout=COMMAND_SECONDS)  # noqa: S603 - the user's own
    except OSError as error:
        raise to_repair(f"{source} cannot be run: {error.strerror}") from None
    except ValueError:  # a UnicodeError is one
        raise to_repair(
            f"{source} cannot be run: no argument of a program can hold one of its characters"
        ) from None
    except subprocess.TimeoutExpired:
        raise to_repair(f"{source} did not end within {COMMAND_SECONDS} s") from None
    if done.returncode:
        raise to_repair(f"{source} failed with exit code {done.returncode}")
    first = done.stdout.decode("utf-8", "replace").split("\n", 1)[0].strip()
    if not first:
        raise to_repair(f"{source} wrote nothing")
    return first


def to_repair(text: str) -> UsageError:
    """Return the error of a program that gave no secret: it is set, and need not be set anew."""
    error = UsageError(text)
    error.advice = "repair the command, which the profile names"
    return error
