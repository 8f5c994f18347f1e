"""Read credentials, and where the journal is, from the environment."""

import os
from collections.abc import Mapping

from bkjob_async import AccessToken, AppCredentials, Credentials, UsageError
from bkjob_async.journal.urls import RedisPlace, parse_journal_url

VARIABLE = "BKJOB_JOURNAL"


def credentials_from(environ: Mapping[str, str]) -> Credentials:
    """Return the credentials in *environ*; raise `UsageError` naming what is missing.

    An access token takes precedence. Arguments are visible in the process list, so there is no option for any
    of them.
    """
    token = environ.get("BKJOB_ACCESS_TOKEN")
    if token:
        return AccessToken(access_token=token)
    missing = [name for name in ("BKJOB_APP_CODE", "BKJOB_APP_SECRET") if not environ.get(name)]
    if missing:
        raise UsageError(
            f"set {' and '.join(missing)} in the environment (or BKJOB_ACCESS_TOKEN); see bkjob watch --help"
        )
    return AppCredentials(
        bk_app_code=environ["BKJOB_APP_CODE"],
        bk_app_secret=environ["BKJOB_APP_SECRET"],
        bk_username=environ.get("BKJOB_USERNAME") or None,
        bk_token=environ.get("BKJOB_BK_TOKEN") or None,
        bk_ticket=environ.get("BKJOB_BK_TICKET") or None,
    )


def journal_url(given: str | None) -> str:
    """Return the URL *given* on the command line, or that of the environment; raise `UsageError` for a password in it."""
    if given is None:
        found = os.environ.get(VARIABLE)
        if not found:
            raise UsageError(f"which journal? give its URL, or set {VARIABLE} in the environment")
        return found
    place = parse_journal_url(given)
    if isinstance(place, RedisPlace) and place.has_password:
        raise UsageError(
            f"every user of this machine can read a password on a command line: set {VARIABLE} in the environment"
        )
    return given
