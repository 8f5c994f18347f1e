"""The platform's exceptions and their codes, and the error that each becomes."""

from __future__ import annotations

import pytest

from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.errors import (
    CallFailed,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlatformTrouble,
    QuotaExceeded,
    WrongState,
)
from tests.dialects.sample_operations import json_response

# The error that an exception class suggests; its HTTP status and its word in version 4 (V4ErrorCodeEnum).
SUGGESTED: dict[str, tuple[type[CallFailed], int, str]] = {
    "InternalException": (PlatformTrouble, 500, "INTERNAL"),
    "NotFoundException": (NotFound, 404, "NOT_FOUND"),
    "InvalidParamException": (InvalidRequest, 400, "INVALID_ARGUMENT"),
    "AlreadyExistsException": (InvalidRequest, 409, "ALREADY_EXISTS"),
    "FailedPreconditionException": (WrongState, 400, "FAILED_PRECONDITION"),
    "ResourceExhaustedException": (QuotaExceeded, 429, "RESOURCE_EXHAUSTED"),
    "AbortedException": (WrongState, 409, "ABORTED"),
}

# The codes that each exception class is thrown with, where the library once had another class (public source of
# July 2026).
THROWN: dict[str, dict[int, str]] = {
    "InvalidParamException": {
        1210006: "ACCESS_CROSS_TENANT_FORBIDDEN",
        1264001: "AI_ANALYZE_ERROR_ONLY_SUPPORT_SCRIPT_OR_FILE_STEP",
        1243053: "HOST_ID_NOT_EXIST_IN_CMDB",
        1243062: "PERSONAL_ACCESS_TOKEN_LOGIN_TICKET_MISSING",
        1264004: "TASK_CONTEXT_TARGET_EXECUTE_OBJECT_NOT_EXIST",
        1210005: "TENANT_ID_CANNOT_BE_BLANK",
        1243029: "WRONG_STEP_TYPE",
        1243031: "WRONG_TASK_TYPE",
        1243022: "WRONG_VARIABLE_TYPE",
    },
    "AlreadyExistsException": {
        1243007: "ACCOUNT_ALIAS_EXIST",
        1243060: "CREDENTIAL_NAME_EXIST",
        1245004: "CRON_JOB_ALREADY_EXIST",
        1243056: "DANGEROUS_RUlE_EXIST",
        1243043: "PLAN_ID_EXIST",
        1243042: "PLAN_NAME_EXIST",
        1243002: "SCRIPT_NAME_DUPLICATE",
        1243036: "SCRIPT_VERSION_NAME_EXIST",
        1243021: "TAG_ALREADY_EXIST",
        1243044: "TEMPLATE_ID_EXIST",
        1243040: "TEMPLATE_NAME_EXIST",
    },
    "NotFoundException": {
        1244003: "ACCOUNT_NOT_EXIST",
        1264003: "AI_CHAT_HISTORY_NOT_FOUND_BY_ID",
        1243048: "CREDENTIAL_NOT_EXIST",
        1245001: "CRON_JOB_NOT_EXIST",
        1243008: "DB_SYSTEM_ACCOUNT_IS_INVALID",
        1260012: "FAIL_TO_FIND_FILE_SOURCE_BY_CODE",
        1260013: "FILE_SOURCE_SERVICE_INVALID",
        1241002: "ILLEGAL_PARAM",
        1241011: "NOT_SUPPORT_FEATURE",
        1243001: "SCRIPT_NOT_EXIST",
        1243004: "SCRIPT_NOT_IN_APP",
        1243047: "SCRIPT_VERSION_NOT_EXIST",
        1243026: "TEMPLATE_NOT_EXIST",
    },
    "InternalException": {
        1216001: "API_ERROR",
        1243030: "BATCH_INSERT_FAILED",
        1243046: "BATCH_UPDATE_PLAN_VARIABLE_FAILED",
        1213005: "CMSI_UNKNOWN_CHANNEL",
        1243027: "CREATE_DEBUG_PLAN_ERROR",
        1243032: "CREATE_STEP_FAILED",
        1243034: "DELETE_STEP_FAILED",
        1244011: "EXECUTE_TASK_PLAN_ILLEGAL",
        1262005: "FAIL_TO_REQUEST_THIRD_FILE_SOURCE_DOWNLOAD_GENERIC_FILE",
        1244024: "FAIL_TO_SAVE_FILE_TO_LOCAL",
        1260014: "FILE_WORKER_NOT_FOUND",
        1243063: "GENERATE_PERSONAL_ACCESS_TOKEN_FAIL",
        1215001: "IAM_API_DATA_ERROR",
        1241002: "ILLEGAL_PARAM",
        1243023: "INSERT_TASK_PLAN_FAILED",
        1243018: "INSERT_TEMPLATE_FAILED",
        1241011: "NOT_SUPPORT_FEATURE",
        1245009: "SAVE_CRON_CUSTOM_NOTIFY_FAILED",
        1243020: "SAVE_TEMPLATE_UNKNOWN_ERROR",
        1243028: "SYNC_TASK_PLAN_UNKNOWN_ERROR",
        1241003: "UNSUPPORTED_OPERATION",
        1245002: "UPDATE_CRON_JOB_FAILED",
        1243035: "UPDATE_FILE_INFO_FAILED",
        1243033: "UPDATE_STEP_FAILED",
        1243024: "UPDATE_TASK_PLAN_FAILED",
        1243019: "UPDATE_TEMPLATE_FAILED",
        1241008: "WRONG_APP_ID",
    },
    "FailedPreconditionException": {
        1245006: "CRON_JOB_TIME_PASSED",
        1243037: "DELETE_PLAN_FAILED_USING_BY_CRON",
        1243014: "DELETE_REF_ACCOUNT_FORBIDDEN",
        1243055: "DELETE_REF_CREDENTIAL_FAIL",
        1243054: "DELETE_REF_SCRIPT_FAIL",
        1243038: "DELETE_TEMPLATE_FAILED_PLAN_USING_BY_CRON",
        1245007: "END_TIME_OR_NOTIFY_TIME_ALREADY_PASSED",
        1244027: "EXCEED_MAX_ALLOWED_BATCH_SIZE",
        1244030: "EXECUTE_OBJECT_NOT_EXIST",
        1244002: "HOST_INVALID",
        1215002: "IAM_USER_ACCOUNT_FROZEN",
        1244016: "NOT_IN_CONFIRM_USER_LIST",
        1243061: "PUBLIC_APP_PERSONAL_TOKEN_NOT_AVAILABLE",
        1244014: "SCRIPT_DISABLED_SHOULD_NOT_EXECUTE",
        1244018: "SCRIPT_NOT_EXECUTABLE_STATUS",
        1243017: "SCRIPT_VERSION_ILLEGAL",
        1244029: "STEP_SOURCE_EXECUTE_OBJECT_EMPTY",
        1244028: "STEP_TARGET_EXECUTE_OBJECT_EMPTY",
        1244020: "TASK_INSTANCE_QUERY_TIME_SPAN_MORE_THAN_30_DAYS",
        1244008: "TASK_INSTANCE_RELATED_HOST_VAR_NOT_EXIST",
    },
    "AbortedException": {
        1244019: "DANGEROUS_SCRIPT_FORBIDDEN_EXECUTION",
        1244021: "FILE_TASKS_EXCEEDS_LIMIT",
        1243041: "TEMPLATE_LOCK_ACQUIRE_FAILED",
    },
    "ResourceExhaustedException": {
        1244022: "SCRIPT_TASK_TARGET_SERVER_EXCEEDS_LIMIT",
        1243057: "SEND_NOTIFY_EXCEED_RESOURCE_SCOPE_QUOTA_LIMIT",
        1243059: "SEND_NOTIFY_EXCEED_SYSTEM_QUOTA_LIMIT",
        1243058: "SEND_NOTIFY_EXCEED_USER_QUOTA_LIMIT",
        1244025: "TASK_ABANDONED",
    },
}

# Where the exception names the wrong party, who must act instead, and why.
JUDGED: dict[int, tuple[type[CallFailed], str]] = {
    1210006: (NotAllowed, "the application may not act in that tenant: no other parameter helps"),
    1215002: (NotAuthenticated, "the credentials of a frozen user are of no use until they are changed"),
    1241002: (InvalidRequest, "a parameter is illegal, whichever class finds it"),
    1241003: (WrongState, "an operation in a state that does not allow it; few other places throw it"),
    1241008: (InvalidRequest, "an id of the wrong scope was given"),
    1241011: (InvalidRequest, "the request asks for what this installation does not have"),
    1243008: (InvalidRequest, "an account of the wrong category was named"),
    1244002: (InvalidRequest, "the hosts that were named are not in the scope"),
    1244003: (InvalidRequest, "the account that was named does not exist, not the job"),
    1244008: (InvalidRequest, "a host variable of the plan was given no hosts"),
    1244011: (InvalidRequest, "a plan without steps is launched: nothing was, and nothing will be"),
    1244014: (InvalidRequest, "a disabled script was named"),
    1244016: (NotAllowed, "another user may confirm"),
    1244018: (InvalidRequest, "a script that is not online was named"),
    1244019: (InvalidRequest, "the script's contents are forbidden"),
    1244020: (InvalidRequest, "the range of time is too long"),
    1244021: (InvalidRequest, "too many files for too many hosts"),
    1244022: (InvalidRequest, "too many hosts: not a quota that refills"),
    1244025: (WrongState, "the job was abandoned"),
    1244027: (InvalidRequest, "the expression makes too many batches"),
    1244028: (InvalidRequest, "no targets remain of what was named"),
    1244029: (InvalidRequest, "no sources remain of what was named"),
    1244030: (InvalidRequest, "an execute object that was named does not exist"),
}
PAIRS = [(exception, code) for exception, codes in THROWN.items() for code in codes]


def error_of(code: int, exception: str, *, v4: bool) -> CallFailed:
    """Return the error of a response with a code, in the envelope of version 4 or of the others."""
    body: dict[str, object] = {"result": False, "code": code, "message": "no"}
    status = 200
    if v4:
        _, status, word = SUGGESTED[exception]
        body = {"error": {"code": word, "message": "no", "details": [{"code": str(code), "message": "no"}]}}
    with pytest.raises(CallFailed) as caught:
        open_envelope(json_response(body, status=status))
    return caught.value


@pytest.mark.parametrize(("exception", "code"), PAIRS)
def test_an_error_says_who_must_act_as_the_exception_does(exception: str, code: int) -> None:
    """Unless a reason is known why that names the wrong party."""
    expected, _ = JUDGED.get(code, (SUGGESTED[exception][0], ""))

    assert type(error_of(code, exception, v4=False)) is expected


@pytest.mark.parametrize(("exception", "code"), PAIRS)
def test_version_4_says_the_same(exception: str, code: int) -> None:
    """The number among the details counts where the word is the same for several parties."""
    expected, _ = JUDGED.get(code, (SUGGESTED[exception][0], ""))

    assert type(error_of(code, exception, v4=True)) is expected


def test_every_judgement_differs_from_the_exception_and_has_a_reason() -> None:
    """None is left behind when a class changes."""
    for code, (kind, reason) in JUDGED.items():
        suggested = {SUGGESTED[exception][0] for exception, other in PAIRS if other == code}
        assert suggested
        assert suggested != {kind}
        assert reason
