"""Profiles: the settings of a platform under a name, in `config.toml`."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bkjob_async.configuration.settings import Profile, check_profile
from bkjob_async.model.base_error import UsageError

PLACE = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")
EXAMPLE = """\
default = "prod"

[profiles.prod]
url = "https://bkapi.example.com/api/bk-job/prod"
biz = 2
app_code = "ops"
username = "admin"
app_secret = ["keyring:bkjob-prod", "env:OPS_SECRET"]
"""


def config_path(environ: Mapping[str, str]) -> Path:
    """Return where the file of profiles is or would be; `BKJOB_CONFIG` names another place."""
    given = environ.get("BKJOB_CONFIG")
    if given:
        return Path(given)
    import platformdirs  # noqa: PLC0415 - only commands that connect need it

    return platformdirs.user_config_path("bkjob", appauthor=False) / "config.toml"


def load_profile(path: Path, name: str | None) -> Profile | None:
    """Return the profile *name*, without a name the file's default, None for neither; raise `UsageError`."""
    content = read_config(path)
    if content is None:
        if name is not None:
            raise UsageError(f"there is no profile {name!r}: {path} does not exist")
        return None
    return choose_profile(content, path, name)


def read_config(path: Path) -> Mapping[str, Any] | None:
    """Return what the file says, None where there is none; raise `UsageError` for one that cannot be trusted or read."""
    try:
        with path.open("rb") as file:
            if os.name == "posix":
                check_writers(path, os.fstat(file.fileno()))
            return tomllib.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also a number that is too long, and lists without end
        # The text of the error may quote the file; the place at its end does not.
        place = PLACE.search(str(error))
        raise UsageError(f"{path} is not TOML{place[0] if place else ''}") from None


def check_writers(path: Path, status: os.stat_result) -> None:
    """Raise `UsageError`, with the remedy, for a file of profiles that others than its user and root may write or replace."""
    named = f"{path} names programs to run"
    for place, found, others in (
        (path, status, stat.S_IWGRP | stat.S_IWOTH),
        *(
            (folder, folder.stat(), stat.S_IWOTH)
            for folder in {path.absolute().parent, path.resolve().parent}
        ),
    ):
        what = "it" if place is path else "its folder"
        if found.st_uid not in (os.getuid(), 0):
            raise UsageError(f"{named}, and another user owns {what}: chown {os.getuid()} {place}")
        # In a folder such as /tmp nobody replaces the files of others.
        if found.st_mode & others and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
            who = "everybody" if found.st_mode & stat.S_IWOTH else "its group"
            letters = "go" if found.st_mode & stat.S_IWGRP else "o"
            raise UsageError(f"{named}, and {who} may write {what}: chmod {letters}-w {place}")


def choose_profile(content: Mapping[str, Any], path: Path, name: str | None) -> Profile | None:
    """Return the profile *name* of a file's *content*, or its default; raise `UsageError`, also where another is wrong."""
    unknown = content.keys() - {"default", "profiles"}
    if unknown:
        raise UsageError(f"{path}: {min(unknown)!r:.40} is not known there; write [profiles.NAME] before it")
    tables = content.get("profiles", {})
    if not isinstance(tables, dict) or not all(isinstance(values, dict) for values in tables.values()):
        raise UsageError(f"{path}: profiles are tables, [profiles.NAME]")
    profiles = {each: Profile(name=each, path=path, values=values) for each, values in tables.items()}
    for profile in profiles.values():
        check_profile(profile)
    chosen = name if name is not None else content.get("default")
    if chosen is None:
        return None
    if not isinstance(chosen, str) or chosen not in profiles:
        names = ", ".join(sorted(profiles)) or "none"
        raise UsageError(f"{path} has no profile {chosen!r:.40}; it has: {names}")
    return profiles[chosen]
