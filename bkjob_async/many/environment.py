"""Credentials from the environment of a runner: the simplest function that a fleet can name."""

from __future__ import annotations

import os

from bkjob_async.errors import UsageError
from bkjob_async.model.credentials import AccessToken, AppCredentials, Credentials


def credentials() -> Credentials:
    """Return what `BKJOB_ACCESS_TOKEN`, or `BKJOB_APP_CODE` and `BKJOB_APP_SECRET`, say; raise `UsageError` without them.

    `BKJOB_USERNAME`, `BKJOB_BK_TOKEN` or `BKJOB_BK_TICKET` name the user.
    """
    token = os.environ.get("BKJOB_ACCESS_TOKEN")
    if token:
        return AccessToken(access_token=token)
    missing = [name for name in ("BKJOB_APP_CODE", "BKJOB_APP_SECRET") if not os.environ.get(name)]
    if missing:
        raise UsageError(f"set {' and '.join(missing)} in the environment of this runner")
    return AppCredentials(
        bk_app_code=os.environ["BKJOB_APP_CODE"],
        bk_app_secret=os.environ["BKJOB_APP_SECRET"],
        bk_username=os.environ.get("BKJOB_USERNAME") or None,
        bk_token=os.environ.get("BKJOB_BK_TOKEN") or None,
        bk_ticket=os.environ.get("BKJOB_BK_TICKET") or None,
    )


# The name of this function, which is that of a runner that is given no other.
ENVIRONMENT_CREDENTIALS = f"{__name__}:{credentials.__name__}"
