"""Credentials: an application and the user that it acts for."""

from attrs import field, frozen


@frozen(kw_only=True)
class AppCredentials:
    """An application's code and secret, and the user it acts for.

    Name the user by *bk_username* (applications on the skip-login list), *bk_token* or *bk_ticket* (a
    logged-in user). Secrets never show in the repr.

    *bk_app_code* and *bk_app_secret* are the application's own.
    """

    bk_app_code: str
    bk_app_secret: str = field(repr=False)
    bk_username: str | None = None
    bk_token: str | None = field(default=None, repr=False)
    bk_ticket: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class AccessToken:
    """A token for an application and a user; for dialects that take a header.

    *access_token* does not show in the repr.
    """

    access_token: str = field(repr=False)


Credentials = AppCredentials | AccessToken


def secrets_of(credentials: Credentials) -> tuple[str, ...]:
    """Return every secret text in *credentials*, so that it can be redacted."""
    if isinstance(credentials, AccessToken):
        held: tuple[str | None, ...] = (credentials.access_token,)
    else:
        held = (credentials.bk_app_secret, credentials.bk_token, credentials.bk_ticket)
    return tuple(secret for secret in held if secret)
