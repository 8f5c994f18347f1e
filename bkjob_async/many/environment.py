"""Credentials from the environment of a runner: the simplest function that a fleet can name."""

from __future__ import annotations

import os

from bkjob_async.errors import UsageError
from bkjob_async.model.credentials import AccessToken, AppCredentials, Credentials

APPLICATION = ("BKJOB_APP_CODE", "BKJOB_APP_SECRET")


def credentials() -> Credentials:
    """Return what `BKJOB_ACCESS_TOKEN`, or `BKJOB_APP_CODE` and `BKJOB_APP_SECRET`, say; raise `UsageError` without them.

    `BKJOB_USERNAME`, `BKJOB_BK_TOKEN` or `BKJOB_BK_TICKET` name the user.
    """
    token = variable("BKJOB_ACCESS_TOKEN")
    if token is not None:
        return AccessToken(access_token=token)
    app_code, app_secret = map(variable, APPLICATION)
    if app_code is None or app_secret is None:
        missing = [name for name in APPLICATION if variable(name) is None]
        raise UsageError(f"set {' and '.join(missing)} in the environment of this runner")
    return AppCredentials(
        bk_app_code=app_code,
        bk_app_secret=app_secret,
        bk_username=variable("BKJOB_USERNAME"),
        bk_token=variable("BKJOB_BK_TOKEN"),
        bk_ticket=variable("BKJOB_BK_TICKET"),
    )


def variable(name: str) -> str | None:
    """Return a variable without white space around it, None for nothing: a file's line break may be part of it."""
    return os.environ.get(name, "").strip() or None


# The name of this function, which is that of a runner that is given no other.
ENVIRONMENT_CREDENTIALS = f"{__name__}:{credentials.__name__}"
