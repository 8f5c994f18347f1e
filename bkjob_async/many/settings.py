"""The settings that a fleet in shards has: the same for all of its processes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from inspect import isawaitable
from typing import Any, TypedDict

import msgspec
from attrs import evolve, field, fields, frozen

from bkjob_async.dialects.names import DIALECTS
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.errors import JournalDamaged, JournalTooNew, UsageError
from bkjob_async.journal.keep import Keep
from bkjob_async.many.placement import Placement
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.refs import Scope
from bkjob_async.wire.base_url import checked_base_url
from bkjob_async.wire.credentials import CredentialsProvider

# What this version reads, and what it writes: 2 added *keep*, and is written where that is given.
FIRST_VERSION, VERSION = 1, 2
# Of rates and intervals. A share of a larger rate, in millionths, is more than the figures of a shard can hold.
SMALLEST, LARGEST = 1e-9, 1e12
_CREDENTIALS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def _checked_url(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, str) or not value.isprintable():
        raise UsageError("url is the gateway's stage, or the ESB's root, as text")
    checked_base_url(value)


def _checked_dialect(_instance: object, _attribute: object, value: Any) -> None:
    if value not in DIALECTS:
        raise UsageError(f"dialect is one of {', '.join(DIALECTS)}, not {value!r:.60}")


def _checked_keep(_instance: object, _attribute: object, value: Any) -> None:
    if value is not None and not isinstance(value, Keep):
        raise UsageError(
            f"keep is a Keep, for the whole fleet, such as Keep(bytes=100 << 20), not {value!r:.60}"
        )


def _checked_credentials(_instance: object, _attribute: object, value: Any) -> None:
    check_function_name(value)


def check_function_name(value: Any) -> None:
    """Raise `UsageError` unless *value* is the name of a function, `module:function`."""
    # What was given is not repeated: it may be a secret.
    if not isinstance(value, str) or not _CREDENTIALS.fullmatch(value):
        raise UsageError(
            "credentials= names the function that returns them, as 'module:function'; runners import and call it"
        )


def _as_float(value: Any) -> Any:
    """Return a whole number as a float: 200 and 200.0 are the same setting."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    return float(value) if is_whole else value


def _checked_number(_instance: object, attribute: Any, value: Any) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not SMALLEST <= value <= LARGEST:
        raise UsageError(
            f"{attribute.name} is a positive number, from {SMALLEST:g} to {LARGEST:g}, not {value!r:.40}"
        )


def _as_level(value: Any) -> DetailLevel:
    try:
        return DetailLevel(value)
    except ValueError:
        names = ", ".join(level.name for level in DetailLevel)
        raise UsageError(f"detail_level is a DetailLevel: {names}, not {value!r:.40}") from None


class SettingChanges(TypedDict, total=False):
    """What of a fleet is changed while it lives, by the names of `Fleet.create`; what is not there stays as it is."""

    url: str
    dialect: str
    credentials: str
    requests_per_second: float | None
    interval: float | None
    detail_level: DetailLevel
    system: bool | None
    acting_user: str | None
    tenant: str | None
    keep: Keep | None


@frozen(kw_only=True)
class FleetSettings:
    """Where the targets of a fleet are, how runners read them, and in how many shards."""

    url: str = field(validator=_checked_url)
    dialect: str = field(default="gateway-v3", validator=_checked_dialect)
    credentials: str = field(validator=_checked_credentials)
    requests_per_second: float | None = field(default=None, converter=_as_float, validator=_checked_number)
    interval: float | None = field(default=None, converter=_as_float, validator=_checked_number)
    detail_level: DetailLevel = field(default=DetailLevel.EVERY_CHANGE, converter=_as_level)
    system: bool | None = None
    acting_user: str | None = None
    tenant: str | None = None
    keep: Keep | None = field(default=None, validator=_checked_keep)
    placement: Placement

    @property
    def dialect_options(self) -> dict[str, Any]:
        """The options of the dialect that were given."""
        options = {"system": self.system, "acting_user": self.acting_user, "tenant": self.tenant}
        return {name: value for name, value in options.items() if value is not None}

    def check_dialect(self) -> None:
        """Raise `UsageError` for options that the dialect does not have."""
        dialect_by_name(self.dialect, **self.dialect_options)

    def changed(self, changes: Mapping[str, Any]) -> FleetSettings:
        """Return the settings with *changes*; raise `UsageError` for what cannot work, or be changed while the fleet lives."""
        for name in changes:
            if name in ("shards", "wide"):
                raise UsageError(
                    f"{name} says where targets are, and is fixed: make another fleet of this one with Fleet.copy or"
                    " `bkjob fleet copy OLD NEW --shards N`"
                )
            if name not in SettingChanges.__annotations__:
                raise UsageError(
                    f"{name!r:.40} is no setting of a fleet; {', '.join(SettingChanges.__annotations__)} can be changed"
                )
        changed = evolve(self, **changes)
        changed.check_dialect()
        return changed

    def keep_of_shard(self, default: Keep) -> Keep:
        """Return how much of each shard is kept: its part of what the fleet keeps, which is the *default* where it does not say."""
        return (default if self.keep is None else self.keep).in_parts(self.placement.shards)

    def differences(self, others: FleetSettings) -> Iterator[str]:
        """Yield, for each setting in which *others* differ, its name and both values."""
        mine, theirs = self._plain(), others._plain()
        for name, value in mine.items():
            if theirs[name] != value:
                yield f"{name}={theirs[name]!r}, not {value!r}"

    # As bytes -------------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """Return the settings as JSON; equal settings are equal bytes."""
        plain = self._plain()
        version = FIRST_VERSION
        del plain["keep"]
        if self.keep is not None:
            plain["keep"], version = [self.keep.age.total_seconds(), self.keep.bytes], VERSION
        return msgspec.json.encode({"version": version, **plain}, order="sorted")

    @classmethod
    def decode(cls, data: bytes) -> FleetSettings:
        """Read back what `encode` wrote; raise `JournalTooNew` or `JournalDamaged`."""
        try:
            plain = msgspec.json.decode(data, type=dict[str, Any])
            version = plain.pop("version", None)
            if isinstance(version, int) and version > VERSION:
                raise JournalTooNew(
                    f"the settings of the fleet have version {version}, this package reads {VERSION}"
                )
            wide = {Scope.parse(scope): count for scope, count in plain.pop("wide").items()}
            keep = plain.pop("keep", None)
            if keep is not None:
                age, size = keep
                keep = Keep(age=_age_of(age), bytes=size)
            return cls(placement=Placement(shards=plain.pop("shards"), wide=wide), keep=keep, **plain)
        except (
            msgspec.DecodeError,
            AttributeError,
            KeyError,
            OverflowError,
            TypeError,
            ValueError,
            UsageError,
        ) as error:
            raise JournalDamaged("the settings of the fleet cannot be read") from error

    def _plain(self) -> dict[str, Any]:
        values = {
            each.name: getattr(self, each.name) for each in fields(FleetSettings) if each.name != "placement"
        }
        wide = {str(scope): count for scope, count in self.placement.wide.items()}
        return {**values, "shards": self.placement.shards, "wide": dict(sorted(wide.items()))}


def _age_of(seconds: float) -> timedelta:
    """Return an age; the longest one is more as a float than there can be."""
    return timedelta.max if seconds >= timedelta.max.total_seconds() else timedelta(seconds=seconds)


def check_platform(settings: FleetSettings, own: str | None) -> None:
    """Raise `UsageError` where a runner has credentials for its *own* URL, and the *settings* of the fleet name another.

    The journal stores the error: it shows nothing of a URL that may hold a secret.
    """
    if own is None:
        return
    try:
        checked_base_url(own)
    except UsageError as error:
        raise UsageError(f"this runner's own URL (url=, or BKJOB_URL) cannot be used: {error}") from None
    if own.rstrip("/") != settings.url.rstrip("/"):
        raise UsageError(
            f"the fleet polls {settings.url}, and this runner has the credentials of {own!r:.200}: if these are for both,"
            " start it with the fleet's URL (url=, or BKJOB_URL)"
        )


def agreed_function(settings: FleetSettings, own: str) -> str:
    """Return the name that the *settings* of a fleet and a runner's *own* command have; raise `UsageError` for two names.

    Whoever can write the journal could have any function called otherwise.
    """
    check_function_name(own)
    if settings.credentials != own:
        raise UsageError(
            f"the fleet names the function {settings.credentials} for its credentials, and this runner {own}: nothing was"
            f" imported. If you know that function, add --credentials {settings.credentials} to the command of the runner,"
            f" credentials={settings.credentials!r} to run_shard, or BKJOB_CREDENTIALS={settings.credentials} to the"
            " environment of a worker or command"
        )
    return own


def credentials_provider(path: str) -> CredentialsProvider:
    """Return a provider that calls the function that *path*, `module:function`, names; raise `UsageError` if there is none.

    The function may be async. It is called when credentials are needed, not before.
    """
    module, _, name = path.partition(":")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        raise UsageError(
            f"there is no function {path} in this process: install the module where runners run"
        ) from None
    if not callable(function):
        raise UsageError(f"{path} is no function; it returns credentials, and may be async")

    async def provide() -> Credentials:
        found: Any = function()
        return await found if isawaitable(found) else found  # type: ignore[no-any-return]

    return provide
