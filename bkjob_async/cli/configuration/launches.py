"""What is launched, as it stands on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath

from attrs import field, frozen

from bkjob_async.model.base_error import UsageError

# The platform's numbers, by the names, suffixes and interpreters of the languages.
LANGUAGES = {"shell": 1, "bat": 2, "perl": 3, "python": 4, "powershell": 5}
SUFFIXES = {".sh": 1, ".bash": 1, ".bat": 2, ".cmd": 2, ".pl": 3, ".py": 4, ".ps1": 5}
INTERPRETERS = {"perl": 3, "python": 4, "pwsh": 5}
SHELL = 1


@frozen(kw_only=True)
class ScriptLaunch:
    """A script in a file, or from stdin, on some hosts."""

    file: str
    hosts: tuple[str, ...]
    account: str
    language: str | None = None
    parameters: str | None = field(default=None, repr=False)
    timeout: int | None = None
    name: str | None = None

    @property
    def job_name(self) -> str:
        """The name that the job is given, so that it can be found again."""
        return readable(self.name or ("bkjob script" if self.file == "-" else PurePath(self.file).name))


@frozen(kw_only=True)
class PlanLaunch:
    """A plan by its id, with its variables as NAME=VALUE, NAME=FILE and NAME=HOSTS."""

    plan: int
    variables: tuple[str, ...] = field(default=(), repr=False)
    variable_files: tuple[str, ...] = ()
    variable_hosts: tuple[str, ...] = ()


@frozen(kw_only=True)
class FileLaunch:
    """Files on source hosts that are sent to a directory on hosts."""

    files: tuple[str, ...]
    source: tuple[str, ...]
    destination: str
    hosts: tuple[str, ...]
    account: str
    timeout: int | None = None
    name: str | None = None

    @property
    def job_name(self) -> str:
        """The name that the job is given, so that it can be found again."""
        return readable(self.name or f"send {PurePath(self.files[0]).name}")


Launch = ScriptLaunch | PlanLaunch | FileLaunch


def readable(text: str) -> str:
    """Return an argument as text that can be sent: bytes that the locale could not read are taken for UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def language_of(file: str, text: str, given: str | None) -> int:
    """Return what a script is written in: as *given*, by its suffix, by the interpreter that it names, else shell."""
    if given is not None:
        return LANGUAGES[given]
    by_suffix = SUFFIXES.get(PurePath(file).suffix.lower())
    if by_suffix is not None:
        return by_suffix
    first = text.split("\n", 1)[0]
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    names = [PurePath(word).name for word in words]
    return next((code for name in names for key, code in INTERPRETERS.items() if name.startswith(key)), SHELL)


def account_of(text: str) -> tuple[str | None, int | None]:
    """Return an account as an alias or an id."""
    return (None, int(text)) if text.isdecimal() else (text, None)


def named_values(pairs: Iterable[str], option: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of NAME=VALUE texts; raise `UsageError`, which does not repeat the value."""
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise UsageError(f"{option} is NAME=VALUE, not {name!r:.40}")
        yield readable(name), readable(value)
