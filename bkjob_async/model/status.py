"""The platform's two sets of status codes, and the phases that they mean.

Run codes (jobs and steps) and host codes overlap: 3 is a successful job but a host that "succeeded last
time", 9 is an abnormal step but a successful host. They are two types that never compare equal. Sources:
bk-job's RunStatusEnum and ExecuteObjectTaskStatusEnum; code 12 is in old documents only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar

from attrs import frozen

from bkjob_async.model.base_error import WrongValue


class Phase(StrEnum):
    """What a status code means for a caller."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    STOPPING = "STOPPING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    IGNORED = "IGNORED"
    STOPPED = "STOPPED"
    ABNORMAL = "ABNORMAL"
    UNKNOWN = "UNKNOWN"


def as_phase(phase: str) -> Phase:
    """Return the phase that *phase* is or names; raise `UsageError` for a word that is none."""
    try:
        return Phase(phase)
    except ValueError:
        raise WrongValue(f"{phase!r:.60} is no phase: give a Phase, such as Phase.FAILED") from None


RUN_CODES: dict[int, tuple[str, Phase]] = {
    1: ("BLANK", Phase.PENDING),
    2: ("RUNNING", Phase.RUNNING),
    3: ("SUCCESS", Phase.SUCCESS),
    4: ("FAIL", Phase.FAILED),
    5: ("SKIPPED", Phase.SKIPPED),
    6: ("IGNORE_ERROR", Phase.IGNORED),
    7: ("WAITING_USER", Phase.WAITING),
    8: ("TERMINATED", Phase.STOPPED),
    9: ("ABNORMAL_STATE", Phase.ABNORMAL),
    10: ("STOPPING", Phase.STOPPING),
    11: ("STOP_SUCCESS", Phase.STOPPED),
    12: ("STOP_FAILED", Phase.FAILED),
    13: ("CONFIRM_TERMINATED", Phase.STOPPED),
    14: ("ABANDONED", Phase.ABNORMAL),
    15: ("ROLLING_WAITING", Phase.WAITING),
}

FINISHED_RUN_CODES = frozenset({3, 4, 5, 6, 8, 9, 11, 12, 13, 14})
UNFINISHED_RUN_CODES = frozenset(RUN_CODES) - FINISHED_RUN_CODES

HOST_CODES: dict[int, tuple[str, Phase]] = {
    0: ("UNKNOWN_ERROR", Phase.FAILED),
    1: ("AGENT_ERROR", Phase.FAILED),
    2: ("INVALID_EXECUTE_OBJECT", Phase.FAILED),
    3: ("LAST_SUCCESS", Phase.SUCCESS),
    5: ("WAITING", Phase.PENDING),
    7: ("RUNNING", Phase.RUNNING),
    9: ("SUCCESS", Phase.SUCCESS),
    11: ("FAILED", Phase.FAILED),
    12: ("SUBMIT_FAILED", Phase.FAILED),
    13: ("TASK_TIMEOUT", Phase.FAILED),
    15: ("LOG_ERROR", Phase.FAILED),
    16: ("GSE_SCRIPT_TIMEOUT", Phase.FAILED),
    17: ("GSE_FILE_TIMEOUT", Phase.FAILED),
    18: ("AGENT_NOT_INSTALLED", Phase.FAILED),
    101: ("SCRIPT_FAILED", Phase.FAILED),
    102: ("SCRIPT_TIMEOUT", Phase.FAILED),
    103: ("SCRIPT_TERMINATE", Phase.FAILED),
    104: ("SCRIPT_NOT_ZERO_EXIT_CODE", Phase.FAILED),
    202: ("COPYFILE_FAILED", Phase.FAILED),
    203: ("COPYFILE_SOURCE_FILE_NOT_EXIST", Phase.FAILED),
    301: ("FILE_ERROR_UNCLASSIFIED", Phase.FAILED),
    303: ("GSE_TIMEOUT", Phase.FAILED),
    310: ("GSE_AGENT_ERROR", Phase.FAILED),
    311: ("GSE_USER_ERROR", Phase.FAILED),
    312: ("GSE_USER_PWD_ERROR", Phase.FAILED),
    320: ("GSE_FILE_ERROR", Phase.FAILED),
    321: ("GSE_FILE_SIZE_EXCEED", Phase.FAILED),
    329: ("GSE_FILE_TASK_ERROR", Phase.FAILED),
    399: ("GSE_TASK_ERROR", Phase.FAILED),
    403: ("GSE_TASK_TERMINATE_SUCCESS", Phase.STOPPED),
    404: ("GSE_TASK_TERMINATE_FAILED", Phase.FAILED),
    500: ("UNKNOWN", Phase.FAILED),
}

UNFINISHED_HOST_CODES = frozenset({5, 7})
SUCCESSFUL_HOST_CODES = frozenset({3, 9})


@frozen(repr=False)
class Status:
    """The platform's *code* of a status, and what it is called and means by the table of all *codes*."""

    codes: ClassVar[Mapping[int, tuple[str, Phase]]]

    code: int

    @property
    def name(self) -> str:
        """The platform's name of the code, or `UNKNOWN_<code>`."""
        known = self.codes.get(self.code)
        return known[0] if known else f"UNKNOWN_{self.code}"

    @property
    def phase(self) -> Phase:
        """What the code means; UNKNOWN for an unknown code."""
        known = self.codes.get(self.code)
        return known[1] if known else Phase.UNKNOWN

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code} {self.name})"

    def __str__(self) -> str:
        return self.name


@frozen(repr=False)
class RunStatus(Status):
    """The status of a job or step, by the platform's code.

    *code* is the platform's number; an unknown one is kept.
    """

    codes = RUN_CODES

    @property
    def is_success(self) -> bool:
        """Whether it succeeded: 3, nothing else."""
        return self.code == 3

    @property
    def is_finished(self) -> bool:
        """Whether the code is a final one: 12 is, an unknown one is not.

        The `is_finished` of a job or step is what the platform says itself where it does.
        """
        return self.code in FINISHED_RUN_CODES


@frozen(repr=False)
class HostStatus(Status):
    """The status of one host (execute object) in one execution of a step.

    *code* is the platform's number; an unknown one is kept.
    """

    codes = HOST_CODES

    @property
    def is_finished(self) -> bool:
        """Whether the host has finished: every code but 5 and 7, unknown ones included."""
        return self.code not in UNFINISHED_HOST_CODES

    @property
    def is_success(self) -> bool:
        """Whether the host succeeded, now (9) or last time (3)."""
        return self.code in SUCCESSFUL_HOST_CODES


@lru_cache(maxsize=4096)
def run_status(code: int) -> RunStatus:
    """Return the run status of *code*, one shared object per code."""
    return RunStatus(code)


@lru_cache(maxsize=4096)
def host_status(code: int) -> HostStatus:
    """Return the host status of *code*, one shared object per code."""
    return HostStatus(code)


def status_to_json(status: RunStatus | HostStatus) -> dict[str, int | str]:
    """Return a status as JSON values."""
    return {"code": status.code, "name": status.name, "phase": status.phase.value}
