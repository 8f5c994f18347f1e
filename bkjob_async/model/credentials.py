"""Credentials: an application and the user that it acts for."""

from typing import Any

from attrs import NOTHING, field, fields, frozen

from bkjob_async.model.base_error import WrongType, WrongValue


def _text(owner: object, attribute: Any, value: Any) -> None:
    """Raise `UsageError` for what is no text, and not None where that is the default; the value is not shown."""
    name = f"{type(owner).__name__}: {attribute.name}"
    if not isinstance(value, str) and (value is not None or attribute.default is not None):
        raise WrongType(f"{name} must be text (str), not {type(value).__name__}")
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise WrongValue(
            f"{name} has half of a surrogate pair, as bytes that are not UTF-8 become: it cannot be sent"
        )
    if attribute.default is NOTHING and not str(value).strip():
        raise WrongValue(f"{name} must not be empty: a setting or a variable may be missing")


@frozen(kw_only=True)
class AppCredentials:
    """An application's code and secret, and the user it acts for.

    Name the user by *bk_username* (applications on the skip-login list), *bk_token* or *bk_ticket* (a
    logged-in user). Secrets never show in the repr.

    *bk_app_code* and *bk_app_secret* are the application's own.
    """

    bk_app_code: str = field(validator=_text)
    bk_app_secret: str = field(repr=False, validator=_text)
    bk_username: str | None = field(default=None, validator=_text)
    bk_token: str | None = field(default=None, repr=False, validator=_text)
    bk_ticket: str | None = field(default=None, repr=False, validator=_text)


@frozen(kw_only=True)
class AccessToken:
    """A token for an application and a user; for dialects that take a header.

    *access_token* does not show in the repr.
    """

    access_token: str = field(repr=False, validator=_text)


Credentials = AppCredentials | AccessToken


def secrets_of(credentials: Credentials) -> tuple[str, ...]:
    """Return every secret text in *credentials*, so that it can be redacted."""
    # What does not show in the repr is secret.
    held = (getattr(credentials, each.name) for each in fields(type(credentials)) if not each.repr)
    return tuple(secret for secret in held if secret)
