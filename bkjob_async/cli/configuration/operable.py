"""What can be operated through the dialect that the settings name."""

from __future__ import annotations

from bkjob_async.configuration.gathering import DEFAULT_DIALECT
from bkjob_async.configuration.settings import Settings
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.model.operations.base import OperateJobInstance, OperateStepInstance


def dialect_of(settings: Settings) -> Dialect:
    """Return the dialect that *settings* name, or the usual one."""
    return dialect_by_name(settings.get("dialect", DEFAULT_DIALECT))


def can_operate_steps(settings: Settings) -> bool:
    """Return whether a step can be retried, confirmed or skipped by a command."""
    return dialect_of(settings).line_of(OperateStepInstance) is not None


def check_operable(settings: Settings, kind: type[OperateStepInstance | OperateJobInstance]) -> None:
    """Raise `NotSupported` where the dialect has no operation of this *kind*."""
    dialect_of(settings).check_has(kind)
