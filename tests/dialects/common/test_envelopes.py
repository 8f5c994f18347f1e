"""The source and class of each error, and whether a read is retried."""

from collections.abc import Callable

import pytest

from bkjob_async.dialects.common.envelopes import (
    LONGEST_MESSAGE,
    open_envelope,
    read_envelope,
)
from bkjob_async.dialects.common.error_codes import BY_CODE, BY_WORD
from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.engine.flow_control.retry import RETRYABLE
from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    CallFailed,
    InvalidRequest,
    InvalidResponse,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlatformTrouble,
    QuotaExceeded,
    Throttled,
    WrongState,
)
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.queries import RawCall
from tests.dialects.sample_operations import JOB, SCOPE, json_response, sample_call

# code, class, whether a read is worth another try
CODES: list[tuple[int, type[CallFailed], bool]] = [
    *((code, NotFound, False) for code in (1244006, 1244007, 1244012, 1243009, 1243049, 1243051)),
    *((code, NotAllowed, False) for code in (9900403, 1238001, 1247403, 1244004, 1244016, 1210006)),
    *((code, NotAuthenticated, False) for code in (1247001, 1247002, 1247004, 1240004, 1240005)),
    *((code, PlatformTrouble, True) for code in (1240001, 1240002, 1246001, 1252001)),
    *((code, WrongState, False) for code in (1241003, 1241015, 1244015, 1244025)),
    *(
        (code, InvalidRequest, False)
        for code in (1240003, 1241001, 1241002, 1241004, 1241005, 1241006, 1241007)
    ),
    *((code, InvalidRequest, False) for code in (1241010, 1241012, 1241020, 1241025, 1247005, 1237104)),
    *((code, InvalidRequest, False) for code in (1244001, 1244002, 1244003, 1244014, 1244018, 1244019)),
    *((code, InvalidRequest, False) for code in (1244020, 1244021, 1244022, 1244026, 1244027, 1244028)),
    *((code, InvalidRequest, False) for code in (1244029, 1244030, 1244031, 1244035, 1244036)),
    *((code, QuotaExceeded, False) for code in (1244032, 1244033, 1244034)),
    # What stands behind Job, and what Job cannot store.
    *(
        (code, PlatformTrouble, True)
        for code in (1211001, 1211002, 1213001, 1213002, 1213003, 1213004, 1213005)
    ),
    *(
        (code, PlatformTrouble, True)
        for code in (1215001, 1216001, 1220001, 1243018, 1243019, 1243020, 1243023)
    ),
    *(
        (code, PlatformTrouble, True)
        for code in (1243024, 1243027, 1243028, 1243030, 1243032, 1243033, 1243034)
    ),
    *((code, PlatformTrouble, True) for code in (1243035, 1243046, 1243063, 1244024, 1245002, 1245009)),
    *((code, PlatformTrouble, True) for code in (1260014, 1262005)),
    (1215002, NotAuthenticated, False),
    *((code, NotFound, False) for code in (1243001, 1243004, 1243026, 1243047, 1243048, 1245001)),
    *((code, NotFound, False) for code in (1260012, 1260013, 1264003)),
    *((code, WrongState, False) for code in (1243014, 1243017, 1243037, 1243038, 1243041, 1243054, 1243055)),
    *((code, WrongState, False) for code in (1243061, 1245006, 1245007)),
    *((code, QuotaExceeded, False) for code in (1243057, 1243058, 1243059)),
    *(
        (code, InvalidRequest, False)
        for code in (1210005, 1241008, 1241011, 1243002, 1243007, 1243008, 1243021)
    ),
    *(
        (code, InvalidRequest, False)
        for code in (1243022, 1243029, 1243031, 1243036, 1243040, 1243042, 1243043)
    ),
    *(
        (code, InvalidRequest, False)
        for code in (1243044, 1243053, 1243056, 1243060, 1243062, 1244008, 1244011)
    ),
    *((code, InvalidRequest, False) for code in (1245004, 1264001, 1264004)),
    *((code, NotAuthenticated, False) for code in (1306000, 1306401, 1306408)),
    *((code, ApplicationNotAllowed, False) for code in (1306402, 1306403)),
    *((code, ApiNotFound, False) for code in (1306404, 1306405, 1306407)),
    *((code, InvalidRequest, False) for code in (1306209, 1306406)),
    *((code, PlatformTrouble, True) for code in (1306001, 1306101, 1306102, 1306201, 1306202, 1306203)),
    *((code, PlatformTrouble, True) for code in (1306204, 1306205, 1306206, 1306207, 1306208, 1306221)),
    (1306429, Throttled, True),
    *((code, NotAuthenticated, False) for code in (1640001, 1640004, 1640100, 1640101, 1640102)),
    *((code, ApplicationNotAllowed, False) for code in (1640301, 1640302, 1640303, 1640304)),
    (1640401, ApiNotFound, False),
    *((code, InvalidRequest, False) for code in (1641301, 1641401, 1650801)),
    *((code, Throttled, True) for code in (1642901, 1642902, 1642903, 1642904)),
    *((code, PlatformTrouble, True) for code in (1650000, 1650001, 1650002, 1650070)),
    *((code, PlatformTrouble, True) for code in (1650200, 1650201, 1650300, 1650401)),
]
WORDS: list[tuple[int, str, type[CallFailed]]] = [
    (400, "INVALID_ARGUMENT", InvalidRequest),
    (400, "OUT_OF_RANGE", InvalidRequest),
    (400, "FAILED_PRECONDITION", WrongState),
    (401, "UNAUTHENTICATED", NotAuthenticated),
    (403, "NO_PERMISSION", NotAllowed),
    (403, "IAM_NO_PERMISSION", NotAllowed),
    (404, "NOT_FOUND", NotFound),
    (406, "MEDIA_TYPE_NOT_ACCEPTABLE", InvalidRequest),
    (409, "ALREADY_EXISTS", InvalidRequest),
    (409, "ABORTED", WrongState),
    (415, "Unsupported Media Type", InvalidRequest),
    (429, "RATELIMIT_EXCEED", Throttled),
    (429, "RESOURCE_EXHAUSTED", QuotaExceeded),
    (500, "INTERNAL", PlatformTrouble),
    (500, "UNKNOWN", PlatformTrouble),
    (501, "NOT_IMPLEMENTED", ApiNotFound),
]


def error_of(response: HttpResponse) -> CallFailed:
    """Return the error that a response is."""
    with pytest.raises(CallFailed) as caught:
        open_envelope(response)
    return caught.value


@pytest.mark.parametrize(("code", "kind", "again"), CODES)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_code_is_its_class(code: int, kind: type[CallFailed], again: bool, as_text: bool) -> None:  # noqa: FBT001
    """A code means the same as number and as text, under HTTP 200 as under any other status."""
    body = {"result": False, "code": str(code) if as_text else code, "message": "no", "request_id": "r-1"}

    for status in (200, 404, 500):
        error = error_of(json_response(body, status))
        assert type(error) is kind
        assert (error.code, error.details.message, error.request_ids) == (code, "no", {"request_id": "r-1"})
        assert isinstance(error, RETRYABLE) is again


def test_the_table_of_codes_is_whole() -> None:
    """Every code that is classified is tested, and none twice."""
    assert sorted(code for code, _, _ in CODES) == sorted(BY_CODE)
    assert {word.upper().replace(" ", "_") for _, word, _ in WORDS} == set(BY_WORD)


@pytest.mark.parametrize(("status", "word", "kind"), WORDS)
def test_a_word_of_version_4_is_its_class(status: int, word: str, kind: type[CallFailed]) -> None:
    """Version 4 speaks in words, under statuses that agree."""
    body = {"error": {"code": word, "message": "no"}, "job_request_id": "j-1"}

    error = error_of(json_response(body, status))

    assert type(error) is kind
    assert (error.code, error.request_ids) == (word, {"job_request_id": "j-1"})


def test_the_details_of_version_4_are_closer_than_its_word() -> None:
    """An internal error that is really a limit of the request is not the platform's trouble."""
    details = [{"code": "1244021", "message": "too many files"}]
    body = {"error": {"code": "INTERNAL", "message": "no", "details": details}}

    error = error_of(json_response(body, 500))

    assert type(error) is InvalidRequest
    assert error.details.detail_codes == (1244021,)


PERMISSION = {"system_id": "bk_job", "actions": [{"id": "view_history", "related_resource_types": []}]}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"result": False, "code": 9900403, "message": "no", "permission": PERMISSION}),
        (403, {"error": {"code": "NO_PERMISSION", "message": "no", "data": PERMISSION}}),
    ],
)
def test_a_refusal_names_what_to_apply_for(status: int, body: object) -> None:
    """The actions of a permission error are kept, in both shapes."""
    error = error_of(json_response(body, status))

    assert isinstance(error, NotAllowed)
    assert error.permission == PERMISSION


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", InvalidResponse),
        (200, b"<html><title>Sign in</title></html>", InvalidResponse),
        (200, b'{"result": true, "code": 0, "data": {"finis', InvalidResponse),
        (200, b"[" * 100_000, InvalidResponse),
        (200, b'{"result": true, "code": 0, "data": "\xff}', InvalidResponse),
        (200, b"[]", InvalidResponse),
        (200, b"{}", InvalidResponse),
        (200, b"null", InvalidResponse),
        (200, b'{"result": false, "code": 4711, "message": "new"}', CallFailed),
        (200, b'{"result": false, "message": "no code"}', CallFailed),
        (200, b'{"result": false, "code": 0}', CallFailed),
        (200, b'{"error": {}}', CallFailed),
        (200, b'{"result": false, "code": 1244999}', InvalidRequest),
        (200, b'{"result": false, "code": 1211099}', PlatformTrouble),
        (200, b'{"result": false, "code": 1220099}', PlatformTrouble),
        (200, b'{"result": false, "code": 1243999}', CallFailed),
        (302, b"", ApiNotFound),
        (400, b'{"result": false}', InvalidRequest),
        (401, b"", NotAuthenticated),
        (403, b"<html>", ApplicationNotAllowed),
        (404, b"<html>", InvalidResponse),
        (404, b'{"result": false, "data": null, "message": "no such component"}', ApiNotFound),
        (413, b"", InvalidRequest),
        (429, b"", Throttled),
        (500, b'{"result": false, "data": null, "message": "crash"}', PlatformTrouble),
        (502, b"<html><title>502 Bad Gateway</title></html>", PlatformTrouble),
        (503, b"", PlatformTrouble),
        (504, b"upstream timed out", PlatformTrouble),
        (500, b'{"result": true, "code": 0, "data": {}}', PlatformTrouble),
    ],
)
def test_what_has_no_code_goes_by_its_status(status: int, body: bytes, kind: type[CallFailed]) -> None:
    """HTML, nothing, half a body: typed too, and a page that is missing says nothing about a job."""
    error = error_of(HttpResponse(status=status, body=body))

    assert type(error) is kind
    assert error.details.http_status == status


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({"result": True, "code": 0, "data": 1}, 1),
        ({"result": True, "code": "0", "data": 1}, 1),
        ({"result": True, "code": "00", "data": 1}, 1),
        ({"result": True, "data": 1}, 1),
        ({"result": "true", "code": 0, "message": {"en": "OK"}, "data": 1}, 1),
        ({"data": 1, "job_request_id": "j"}, 1),
        ({"code": 0, "result": True}, None),
    ],
)
def test_success_has_several_spellings(body: dict[str, object], data: object) -> None:
    """A code may be text, a result may be missing, and in version 4 there is neither."""
    assert open_envelope(json_response(body)).get("data") == data


def test_strange_letters_do_not_cost_the_answer() -> None:
    """A text in another encoding, a mark before the text: the rest is read."""
    body = b'\xef\xbb\xbf{"result": true, "code": 0, "data": {"name": "\xb1\xe0", "status": 3}}'

    assert open_envelope(HttpResponse(status=200, body=body))["data"]["status"] == 3


def test_a_whole_response_can_be_had_as_it_came() -> None:
    """Data, message, ids, status, headers and bytes."""
    body = {"result": True, "code": 0, "message": "success", "data": [1], "request_id": "r-1"}
    response = json_response(body, 200, X_Request_Id="h-1")

    whole = read_envelope(response, open_envelope(response))

    assert (whole.data, whole.message, whole.http_status) == ([1], "success", 200)
    assert whole.request_ids == {"X-Request-Id": "h-1", "request_id": "r-1"}
    assert (whole.headers, whole.body) == (response.headers, response.body)


@pytest.mark.parametrize(
    "sample",
    [
        "esb-job/get_job_instance_status",
        "esb-jobv3/get_job_instance_status",
        "gateway-v3/get_job_instance_status",
        "gateway-v3/get_step_instance_status",
        "gateway-v4/get_job_instance_status",
        "gateway-v3/fast_execute_script",
    ],
)
def test_an_error_about_the_data_names_the_response(sample: str) -> None:
    """The platform's operators find a response that makes no sense by the ids in its envelope and its headers."""
    codec, operation = sample_call(sample)
    body = {"result": True, "code": 0, "data": {"job_instance": "?"}, "request_id": "r-1"}
    if codec.name == "gateway-v4":
        body = {"data": body["data"], "job_request_id": "r-1"}
    response = json_response(body, 201, X_Bkapi_Request_Id="g-1")
    reads: list[Callable[[], object]] = [lambda: codec.decode(operation, response)]
    if isinstance(operation, GetJobInstanceStatus | GetStepInstanceStatus):
        reads.append(lambda: decode_poll(codec, operation, response))

    for read in reads:
        with pytest.raises(InvalidResponse) as failed:
            read()
        assert failed.value.details.http_status == 201
        assert list(failed.value.request_ids.values()) == ["g-1", "r-1"]


def test_a_raw_response_about_another_job_is_named_too() -> None:
    """It was delivered to the wrong request, and its ids say which one it answered."""
    codec, operation = sample_call("gateway-v3/get_job_instance_status")
    call = RawCall(
        name=operation.name, parameters={"job_instance_id": JOB.job_instance_id}, method="GET", scope=SCOPE
    )
    body = {"result": True, "code": 0, "data": {"job_instance_id": 5}, "job_request_id": "j-1"}

    for read in (codec.decode, codec.decode_raw):
        with pytest.raises(InvalidResponse, match="another job") as failed:
            read(call, json_response(body))
        assert (failed.value.details.http_status, failed.value.request_ids) == (
            200,
            {"job_request_id": "j-1"},
        )


def test_the_gateway_says_how_long_to_wait() -> None:
    """The limit's window is learnt from its header, in whole seconds."""
    body = {"result": False, "code": 1642902, "code_name": "RATE_LIMIT_RESTRICTION", "message": "slow down"}

    error = error_of(json_response(body, 429, X_Bkapi_RateLimit_Reset="7", X_Bkapi_Request_Id="g-1"))

    assert isinstance(error, Throttled)
    assert error.retry_after == 7.0
    assert error.request_ids == {"X-Bkapi-Request-Id": "g-1"}
    assert error_of(json_response(body, 429)).retry_after is None
    assert error_of(json_response(body, 429, X_Bkapi_RateLimit_Reset="soon")).retry_after is None
    assert error_of(json_response(body, 429, X_Bkapi_RateLimit_Reset="-1")).retry_after is None
    assert error_of(json_response(body, 429, X_Bkapi_RateLimit_Reset="99999999")).retry_after is None


def test_the_gateways_header_speaks_for_a_body_that_does_not() -> None:
    """A proxied page whose header carries a code is that code's error."""
    headers = {"x-bkapi-error-code": "1650401", "x-bkapi-error-message": "backend timeout"}

    error = error_of(HttpResponse(status=200, headers=headers, body=b"<html>"))

    assert type(error) is PlatformTrouble
    assert (error.code, error.details.message) == (1650401, "backend timeout")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        # Spring, of which the platform's services are made.
        (
            503,
            {"timestamp": 1, "path": "/esb", "status": 503, "error": "Service Unavailable"},
            "Service Unavailable",
        ),
        (
            404,
            {"timestamp": 1, "path": "/esb", "status": 404, "error": "Not Found", "message": ""},
            "Not Found",
        ),
        # What checks tokens, and Django.
        (401, {"error": "invalid_token", "error_description": "it has expired"}, "it has expired"),
        (403, {"detail": "no credentials were given"}, "no credentials were given"),
        (200, {"error": "busy"}, "busy"),
        (200, {"result": False, "code": 4711}, "the platform gives no reason"),
        (200, {"bk_error_code": 4711, "data": None}, "the platform gives no reason"),
    ],
)
def test_a_reason_has_several_names(status: int, body: object, message: str) -> None:
    """Services around the platform call it otherwise; an error without one says that, as it refers to its message."""
    assert error_of(json_response(body, status)).details.message == message


PLAIN_REPLY = {
    "bk_error_code": 1244006,
    "bk_error_msg": {"zh-cn": "不存在", "en": "no such job"},
    "data": None,
}


@pytest.mark.parametrize("body", [PLAIN_REPLY, {**PLAIN_REPLY, "result": False}])
def test_the_reply_behind_the_oldest_component_is_an_error_by_its_code(body: object) -> None:
    """Where the component passes it on as it is: its names of code and message are other ones."""
    error = error_of(json_response(body))

    assert type(error) is NotFound
    assert (error.code, error.details.message) == (1244006, "no such job")
    assert open_envelope(json_response({"bk_error_code": 0, "bk_error_msg": "", "data": 1}))["data"] == 1


def test_a_message_is_one_bounded_line() -> None:
    """Texts may be long, in several lines, and in several languages at once."""
    long = json_response({"result": False, "code": 1, "message": "a\nb\x00" + "c" * 10_000})
    several = json_response({"result": False, "code": 1, "message": {"zh": "错误", "en": "wrong"}})

    assert len(error_of(long).details.message) == LONGEST_MESSAGE + 1
    assert error_of(long).details.message.startswith("a bc")
    assert error_of(several).details.message == "wrong"


def test_an_error_names_its_credentials_by_stars() -> None:
    """What a response echoes behind the name of a credential is hidden even when nobody knows the secret."""
    echo = (
        'rejected {"bk_app_code": "me", "bk_app_secret": "hunter2", "bk_token": "t0ken"} access_token=abc&x=1'
    )
    error = error_of(json_response({"result": False, "code": 1640001, "message": echo}))

    assert error.details.message == (
        'rejected {"bk_app_code": "me", "bk_app_secret": "***", "bk_token": "***"} access_token=***&x=1'
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"result": true, "code": 0, "data": {}}'])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_says_where_to_and_that_the_url_is_wrong(status: int, body: bytes) -> None:
    """Without user, password, query and fragment of the place."""
    where = "https://me:pa55word@login.example.com:8443/sign/in?token=t0ken#t0ken"
    response = HttpResponse(status=status, headers={"Location": where}, body=body)

    with pytest.raises(ApiNotFound) as failed:
        open_envelope(response)
    assert "a redirect to https://login.example.com:8443/sign/in: the URL is wrong" in str(failed.value)
    assert not any(secret in str(failed.value) for secret in ("pa55word", "t0ken"))


@pytest.mark.parametrize("where", [None, "", "https://[", "http://x:99999999/", "\x1b[2J", "/elsewhere"])
def test_a_redirect_to_nowhere_is_one_all_the_same(where: str | None) -> None:
    """Whatever the server writes there."""
    headers = {} if where is None else {"Location": where}

    with pytest.raises(ApiNotFound, match=r"a redirect.*: the URL is wrong"):
        open_envelope(HttpResponse(status=302, headers=headers))
