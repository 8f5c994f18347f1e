"""The settings of a command, each from its strongest source: option, environment variable, profile."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

from bkjob_async.configuration.secrets import SecretSource, parse_sources
from bkjob_async.model.base_error import UsageError
from bkjob_async.model.refs import Scope

Kind = Literal["text", "id", "number", "secret"]
OPTION, VARIABLE, PROFILE = 0, 1, 2


# The settings by their names, which are their keys in a profile, and what each of them is.
SETTINGS: Mapping[str, Kind] = {
    "url": "text",
    "dialect": "text",
    "biz": "id",
    "biz_set": "id",
    "tenant": "text",
    "ca_file": "text",
    "request_timeout": "number",
    "rate": "number",
    "journal": "text",
    "credentials": "text",
    "app_code": "text",
    "username": "text",
    "app_secret": "secret",
    "bk_token": "secret",
    "bk_ticket": "secret",
    "access_token": "secret",
}
SECRETS = tuple(name for name, kind in SETTINGS.items() if kind == "secret")
# Those with an option: all but the secrets, and the application and its user, which belong to them.
OPTIONS = tuple(name for name in SETTINGS if name not in (*SECRETS, "app_code", "username"))
USER_NAMES = ("username", "bk_token", "bk_ticket")


def envvar_of(name: str) -> str:
    """Return the variable of the environment that has a setting."""
    return f"BKJOB_{name.upper()}"


def option_of(name: str) -> str:
    """Return the option of the command line that has a setting; secrets have none."""
    return f"--{name.replace('_', '-')}"


@frozen(kw_only=True)
class Profile:
    """The settings of the profile *name*, as the file *path* has them."""

    name: str
    path: Path
    values: Mapping[str, Any] = field(repr=False)


@frozen(kw_only=True)
class Found:
    """The value of a setting; *source* names where it was given, *level* is 0 for an option.

    The value of a secret is its text, from the environment, or the sources that a profile names.
    """

    value: Any = field(repr=False)
    source: str
    level: int


@frozen(kw_only=True)
class Settings:
    """The settings of one command, each with its source."""

    found: Mapping[str, Found]
    profile: Profile | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a setting."""
        found = self.found.get(name)
        return default if found is None else found.value

    def level(self, name: str) -> int:
        """Return where a setting was given, 3 for nowhere."""
        found = self.found.get(name)
        return PROFILE + 1 if found is None else found.level

    @property
    def scope(self) -> Scope | None:
        """The scope that bare ids are in, None for none."""
        if "biz" in self.found:
            return Scope.biz(self.get("biz"))
        return Scope.biz_set(self.get("biz_set")) if "biz_set" in self.found else None

    @property
    def url(self) -> str:
        """The URL of the platform; raises `UsageError` that says where it can be given."""
        if "url" not in self.found:
            raise UsageError("which platform: give --url, BKJOB_URL, or url in a profile (bkjob config path)")
        return str(self.found["url"].value)


def resolve(options: Mapping[str, Any], environ: Mapping[str, str], profile: Profile | None) -> Settings:
    """Return each setting from its strongest source; raise `UsageError` for what cannot be one.

    Empty variables count as absent, and white space around a value as nothing: a line break at the end of a file's only
    line becomes part of a variable.
    """
    found: dict[str, Found] = {}
    for name in SETTINGS:
        envvar = envvar_of(name)
        if options.get(name) is not None:
            found[name] = Found(value=options[name], source=option_of(name), level=OPTION)
        elif variable := environ.get(envvar, "").strip():
            found[name] = Found(value=converted(name, variable, envvar), source=envvar, level=VARIABLE)
        elif profile is not None and name in profile.values:
            value = converted(name, profile.values[name], f"{name} of the profile {profile.name}")
            found[name] = Found(value=value, source=f"profile {profile.name}", level=PROFILE)
    settings = Settings(found=found, profile=profile)
    drop_weaker(settings, found, "biz", "biz_set")
    if "url" in found:
        refuse_secrets_in_url(found["url"])
    return settings


def check_profile(profile: Profile) -> None:
    """Raise `UsageError` for a profile with unknown keys, wrong values, or a secret itself."""
    unknown = profile.values.keys() - SETTINGS.keys()
    if unknown:
        raise UsageError(
            f"{profile.path}, profile {profile.name}: {min(unknown)!r:.40} is not a setting;"
            f" known are {', '.join(sorted(SETTINGS))}"
        )
    resolve({}, {}, profile)


def drop_weaker(settings: Settings, found: dict[str, Found], one: str, other: str) -> None:
    """Drop the weaker of two settings that exclude each other; raise `UsageError` where both are equally strong."""
    if one not in found or other not in found:
        return
    if settings.level(one) == settings.level(other):
        names = " or ".join(map(option_of, (one, other)))
        raise UsageError(f"give {names}, not both ({found[one].source}, {found[other].source})")
    del found[one if settings.level(one) > settings.level(other) else other]


def converted(name: str, given: object, where: str) -> str | int | float | tuple[SecretSource, ...]:
    """Return what a variable or a profile says of a setting, as its kind; raise `UsageError`."""
    kind = SETTINGS[name]
    if kind == "secret":
        return given if where == envvar_of(name) and isinstance(given, str) else parse_sources(given, where)
    if kind == "text":
        if isinstance(given, str):
            return given
        raise UsageError(f"{where} is text, in quotes")
    is_id = kind == "id"
    number: int | float = 0
    if isinstance(given, str | int | float) and not isinstance(given, bool):
        with suppress(ValueError, OverflowError):
            number = float(given)
        if is_id and not isinstance(given, float):
            with suppress(ValueError):  # as a float a long id would be that of another
                number = int(given)
    if not 0 < number < float("inf") or (is_id and number % 1):
        raise UsageError(f"{where} is a {'whole' if is_id else 'positive'} number, not {given!r:.40}")
    return int(number) if is_id else number


def refuse_secrets_in_url(url: Found) -> None:
    """Raise `UsageError` for a URL that may hold a secret: a user, a password, a query, or a port that is none."""
    parts: SplitResult | None = None
    with suppress(ValueError):
        found = urlsplit(str(url.value))
        _ = found.port
        parts = found
    # Raised here: the context of the other error has a part of a password where one is written wrongly.
    if parts is None:
        raise UsageError(f"{url.source}: the host or port of the URL cannot be read")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError(
            f"{url.source}: a URL with a user, a password, a query or a fragment may hold a secret, and is refused;"
            " see bkjob config --help"
        )


def takes_access_token(settings: Settings) -> bool:
    """Return True when an access token stands for all credentials: it is given, and not weaker than the secret."""
    return settings.level("access_token") <= min(PROFILE, settings.level("app_secret"))


def user_names(settings: Settings) -> tuple[str, ...]:
    """Return the settings that name the user: those of the strongest place that names one."""
    strongest = min(map(settings.level, USER_NAMES))
    return tuple(name for name in USER_NAMES if settings.level(name) == strongest <= PROFILE)
