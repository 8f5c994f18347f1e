"""The codes of the platform that operations take and responses have, as enumerations."""

from bkjob_async.model.operations.codes import (
    AccountCategory,
    FileMode,
    FileSourceType,
    FileStatus,
    LaunchMode,
    LogType,
    RollingExecution,
    RollingMode,
    RollingType,
    ScriptStatus,
    StepType,
    TaskType,
    TransferMode,
    VariableType,
)

__all__ = [
    "AccountCategory",
    "FileMode",
    "FileSourceType",
    "FileStatus",
    "LaunchMode",
    "LogType",
    "RollingExecution",
    "RollingMode",
    "RollingType",
    "ScriptStatus",
    "StepType",
    "TaskType",
    "TransferMode",
    "VariableType",
]
