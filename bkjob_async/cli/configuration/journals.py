"""Find the journal: an option, the environment or a profile."""

from __future__ import annotations

from bkjob_async.configuration.settings import OPTION, VARIABLE, Settings, envvar_of
from bkjob_async.errors import UsageError
from bkjob_async.journal.urls import MemoryPlace, RedisPlace, check_fleet_name, parse_journal_url

ENVVAR = envvar_of("journal")


def recording_journal(settings: Settings, name: str | None) -> str | None:
    """Return the URL of the journal in which a watch is recorded, None unless its options ask for that; raise `UsageError`.

    A journal that only the environment or a profile names is used where the *name* of a fleet is given.
    """
    if name is None and settings.level("journal") != OPTION:
        return None
    url = lasting_journal(settings)
    if name is not None:
        check_fleet_name(name)
    return url


def lasting_journal(settings: Settings) -> str:
    """Return the URL of a journal to write; raise `UsageError` for one in memory, which would end with the command."""
    url = journal_url(settings)
    if isinstance(parse_journal_url(url), MemoryPlace):
        raise UsageError(
            f"the journal {url} would end with this command: give sqlite:///PATH or redis://HOST"
        )
    return url


def journal_url(settings: Settings) -> str:
    """Return the URL of the journal; raise `UsageError` where none was given, or a password outside the environment."""
    found = settings.found.get("journal")
    if found is None:
        raise UsageError(f"which journal? give its URL, or set {ENVVAR} in the environment")
    url: str = found.value
    if found.level != VARIABLE:
        place = parse_journal_url(url)
        if isinstance(place, RedisPlace) and place.has_password:
            raise UsageError(
                "a password on a command line or in a profile can be read by others:"
                f" set {ENVVAR} in the environment"
            )
    return url
