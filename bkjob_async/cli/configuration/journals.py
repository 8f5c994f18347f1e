"""Where the journal is: an option, the environment or a profile."""

from __future__ import annotations

from bkjob_async.cli.configuration.settings import SETTINGS, VARIABLE, Settings
from bkjob_async.errors import UsageError
from bkjob_async.journal.urls import RedisPlace, parse_journal_url

ENVVAR = SETTINGS["journal"].envvar


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
