"""The error class of each of the platform's codes: tables by number, by text and by HTTP status."""

from collections.abc import Iterable, Mapping

from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    CallFailed,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlatformTrouble,
    QuotaExceeded,
    Throttled,
    WrongState,
)

ErrorClass = type[CallFailed]

# Job's own codes: com.tencent.bk.job.common.constant.ErrorCode, each with the class of the exception that is thrown
# with it, except where that names the wrong party: a plan without steps is an `InternalException` there, but the
# platform works, and a user whose account is frozen has credentials of no use.
_JOB: Mapping[ErrorClass, Iterable[int]] = {
    InvalidRequest: (
        *(1240003, 1247005, 1210005),
        *(1241001, 1241002, 1241004, 1241005, 1241006, 1241007),
        *(1241008, 1241010, 1241011, 1241012, 1241020, 1241025),
        *(1243002, 1243007, 1243008, 1243021, 1243022, 1243029),
        *(1243031, 1243036, 1243040, 1243042, 1243043, 1243044),
        *(1243053, 1243056, 1243060, 1243062),
        *(1244001, 1244002, 1244003, 1244008, 1244011, 1244014, 1244018, 1244019, 1244020, 1244036),
        *(1244021, 1244022, 1244026, 1244027, 1244028, 1244029, 1244030, 1244031, 1244035),
        *(1237104, 1245004, 1264001, 1264004),
    ),
    NotAuthenticated: (1240004, 1240005, 1247001, 1247002, 1247004, 1215002),
    NotAllowed: (9900403, 1238001, 1247403, 1244004, 1244016, 1210006),
    NotFound: (
        *(1244006, 1244007, 1244012, 1243009, 1243049, 1243051),
        *(1243001, 1243004, 1243026, 1243047, 1243048, 1245001, 1260012, 1260013, 1264003),
    ),
    WrongState: (
        *(1241003, 1241015, 1244015, 1244025),
        *(1243014, 1243017, 1243037, 1243038, 1243041, 1243054, 1243055, 1243061, 1245006, 1245007),
    ),
    QuotaExceeded: (1244032, 1244033, 1244034, 1243057, 1243058, 1243059),
    PlatformTrouble: (
        *(1240001, 1240002, 1246001, 1252001),
        *(1211001, 1211002, 1213001, 1213002, 1213003, 1213004, 1213005, 1215001, 1216001, 1220001),
        *(1243018, 1243019, 1243020, 1243023, 1243024, 1243027),
        *(1243028, 1243030, 1243032, 1243033, 1243034, 1243035),
        *(1243046, 1243063, 1244024, 1245002, 1245009, 1260014, 1262005),
    ),
}

# The ESB's codes, all under HTTP 200; 1306000 is also every failure to authenticate application or user.
_ESB: Mapping[ErrorClass, Iterable[int]] = {
    InvalidRequest: (1306209, 1306406),
    ApiNotFound: (1306404, 1306405, 1306407),
    NotAuthenticated: (1306000, 1306401, 1306408),
    ApplicationNotAllowed: (1306402, 1306403),
    Throttled: (1306429,),
    PlatformTrouble: (
        *(1306001, 1306101, 1306102),
        *(1306201, 1306202, 1306203, 1306204, 1306205, 1306206, 1306207, 1306208, 1306221),
    ),
}

# The API gateway's codes; 1640001 is what its authentication plugins raise, 1640302 two different refusals.
_GATEWAY: Mapping[ErrorClass, Iterable[int]] = {
    InvalidRequest: (1641301, 1641401, 1650801),
    ApiNotFound: (1640401,),
    NotAuthenticated: (1640001, 1640004, 1640100, 1640101, 1640102),
    ApplicationNotAllowed: (1640301, 1640302, 1640303, 1640304),
    Throttled: (1642901, 1642902, 1642903, 1642904),
    PlatformTrouble: (1650000, 1650001, 1650002, 1650070, 1650200, 1650201, 1650300, 1650401),
}

BY_CODE: Mapping[int, ErrorClass] = {
    code: kind for table in (_JOB, _ESB, _GATEWAY) for kind, codes in table.items() for code in codes
}

# The text codes of the gateway's version 4.
BY_WORD: Mapping[str, ErrorClass] = {
    **dict.fromkeys(("INVALID_ARGUMENT", "OUT_OF_RANGE", "ALREADY_EXISTS"), InvalidRequest),
    **dict.fromkeys(("MEDIA_TYPE_NOT_ACCEPTABLE", "UNSUPPORTED_MEDIA_TYPE"), InvalidRequest),
    **dict.fromkeys(("FAILED_PRECONDITION", "ABORTED"), WrongState),
    "UNAUTHENTICATED": NotAuthenticated,
    **dict.fromkeys(("NO_PERMISSION", "IAM_NO_PERMISSION"), NotAllowed),
    "NOT_FOUND": NotFound,
    "RATELIMIT_EXCEED": Throttled,
    "RESOURCE_EXHAUSTED": QuotaExceeded,
    **dict.fromkeys(("INTERNAL", "UNKNOWN"), PlatformTrouble),
    "NOT_IMPLEMENTED": ApiNotFound,
}

# An unknown code is classified by its first digits.
BY_FAMILY: Mapping[str, ErrorClass] = {
    # The services behind Job: its configuration database, messages, storage of files, permissions, users.
    **dict.fromkeys(
        ("1211", "1213", "1214", "1215", "1216", "1217", "1218", "1219", "1220"), PlatformTrouble
    ),
    "1241": InvalidRequest,
    "1244": InvalidRequest,
    **dict.fromkeys(("1246", "1252"), PlatformTrouble),
    "16401": NotAuthenticated,
    "16403": ApplicationNotAllowed,
    "16404": ApiNotFound,
    "16429": Throttled,
    "1650": PlatformTrouble,
}

# A response of a proxy, or one without a code, is classified by its HTTP status. 403 and 404 then say nothing
# about a job.
BY_HTTP_STATUS: Mapping[int, ErrorClass] = {
    **dict.fromkeys((400, 406, 413, 414, 415, 431), InvalidRequest),
    401: NotAuthenticated,
    403: ApplicationNotAllowed,
    **dict.fromkeys((404, 405, 501), ApiNotFound),
    408: PlatformTrouble,
    429: Throttled,
}


def error_for_code(code: int | str | None) -> ErrorClass | None:
    """Return the error of a code, None for an unknown one."""
    if isinstance(code, str):
        return BY_WORD.get(code.strip().upper().replace(" ", "_"))
    return None if code is None else BY_CODE.get(code)


def error_for_family(code: int | str | None) -> ErrorClass | None:
    """Return the error of an unknown code by its first digits, None for none."""
    text = str(code)
    return next((kind for prefix, kind in BY_FAMILY.items() if text.startswith(prefix)), None)


def error_for_status(status: int) -> ErrorClass | None:
    """Return the error of an HTTP status, None for none.

    The platform never redirects: a redirect comes from another URL than its API, and nothing was carried out.
    """
    if is_redirect(status):
        return ApiNotFound
    return BY_HTTP_STATUS.get(status, PlatformTrouble if status >= 500 else None)


def is_redirect(status: int) -> bool:
    """Return True for a redirect."""
    return 300 <= status < 400
