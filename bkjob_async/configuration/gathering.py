"""Gather the settings of this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bkjob_async.configuration.profiles import config_path, load_profile
from bkjob_async.configuration.settings import Settings, resolve
from bkjob_async.dialects.names import DIALECTS
from bkjob_async.model.base_error import UsageError

DEFAULT_DIALECT = "gateway-v3"


def gather(options: Mapping[str, Any], profile: str | None) -> Settings:
    """Return the settings of this process: *options*, its environment, and the *profile* or the default one."""
    name = profile if profile is not None else os.environ.get("BKJOB_PROFILE", "").strip() or None
    loaded = load_profile(config_path(os.environ), name)
    settings = resolve(options, os.environ, loaded)
    if settings.get("dialect", DEFAULT_DIALECT) not in DIALECTS:
        raise UsageError(f"{settings.found['dialect'].source}: the dialects are {', '.join(DIALECTS)}")
    return settings
