"""Read credentials from the environment."""

from collections.abc import Mapping

from bkjob_async import AccessToken, AppCredentials, Credentials, UsageError


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
