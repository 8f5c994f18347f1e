"""Secrets are removed from messages in every encoding."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bkjob_async.dialects.common.envelopes import error_from_response
from bkjob_async.dialects.common.redaction import encodings_of, redact, redact_details, secrets_in
from bkjob_async.errors import NotAllowed
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import OperateJobInstance, Operation
from bkjob_async.model.operations.extra_operations import BkciPluginFastExecuteScript
from bkjob_async.model.operations.launches import ExecuteJobPlan, FastExecuteScript, GlobalVar
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.refs import JobRef, Scope

SECRET = 'p/w "q\\uote" +&=%ß'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        quote(SECRET, safe=""),
        b64encode(SECRET.encode()).decode(),
    ],
)
def test_every_spelling_is_hidden(spelling: str) -> None:
    """A secret is found raw, escaped, in a URL and in base64."""
    assert redact(f"before {spelling} after", [SECRET]) == "before *** after"


@pytest.mark.parametrize("secret", ["b", "de", "log", "8"])
def test_a_secret_of_a_few_letters_leaves_words_whole(secret: str) -> None:
    """It is in many of them, and in ids; by itself it is hidden."""
    message = "the job 2:1008/38 does not exist; ask who debugs the web catalog"

    assert redact(message, [secret]) == message
    assert redact(f"bk_app_code is {secret}, not good", [secret]) == "bk_app_code is ***, not good"


def test_a_secret_cut_in_the_middle_is_hidden() -> None:
    """A bounded message may end inside a secret."""
    assert redact("token is abcdefgh…", ["abcdefghijkl"]) == "token is ***"
    assert redact("it ends with abc", ["abcdefghijkl"]) == "it ends with abc"


def shown(echo: object, message: str, request_id: str, secrets: list[str]) -> str:
    """Return everything that people can see of an error."""
    body = {
        "result": False,
        "code": 9900403,
        "message": message,
        "permission": {"actions": [echo]},
        "request_id": request_id,
    }
    details = redact_details(error_from_response(HttpResponse(status=200), body).details, secrets)
    return f"{details!r} {NotAllowed(details)} {NotAllowed(details)!r}"


@given(st.text(min_size=6, max_size=40), st.text(max_size=30), st.integers(0, 3))
def test_no_error_shows_a_secret(secret: str, noise: str, depth: int) -> None:
    """Wherever a response echoes a secret, the error that people see does not."""
    one_line = "".join(letter for letter in " ".join(secret.split()) if letter.isprintable())
    # What stands in every error, and in the noise around the echo, is no secret.
    frame = shown(noise, noise, "r-1", []) + "***"
    assume(len(one_line) > 5 and not any(way in frame for way in (secret, one_line)))
    echo: object = noise + secret
    for _ in range(depth):
        echo = {"id": echo, secret: [echo]}

    seen = shown(echo, f"{noise}{secret}{noise}", secret, [secret])

    assert not [way for way in encodings_of(secret) if way in seen]


SCOPE = Scope.biz(2)
NESTED = {
    "db_password": "one-1",
    "account": {"credential": {"name": "two-2"}, "alias": "plain"},
    "host_password_list": [{"bk_host_id": 1, "password": "three-3"}],
    "script_param": "four-4",
    "is_param_sensitive": 1,
    "global_var_list": [{"name": "plain", "value": "five-5", "server": {"ip_list": ["plain"]}}],
    "task_name": "plain",
    "token": "abc",
}
CARRIED: list[tuple[Operation[Any], set[str]]] = [
    (OperateJobInstance(ref=JobRef(SCOPE, 1), operation_code=1), set()),
    (FastExecuteScript(scope=SCOPE, targets=[1], script_param="not sensitive"), set()),
    (
        FastExecuteScript(
            scope=SCOPE,
            targets=[1],
            script_param="sensitive",
            is_param_sensitive=True,
            host_password_list=[{"bk_host_id": 1, "password": "of a host"}],
        ),
        {"sensitive", "of a host"},
    ),
    (
        BkciPluginFastExecuteScript(
            scope=SCOPE, targets=[1], script_param="sensitive", is_param_sensitive=True
        ),
        {"sensitive"},
    ),
    (ExecuteJobPlan(scope=SCOPE, job_plan_id=1, global_vars=(GlobalVar(id=1, value="cipher"),)), {"cipher"}),
    (
        RawCall(name="anything", parameters=NESTED),
        {"one-1", "two-2", "three-3", "four-4", "five-5"},
    ),
    (RawCall(name="anything", parameters={"script_param": "not sensitive"}), set()),
]


@pytest.mark.parametrize(("operation", "carried"), CARRIED, ids=lambda case: type(case).__name__)
def test_what_an_operation_carries_is_secret_too(operation: Operation[Any], carried: set[str]) -> None:
    """Passwords, sensitive parameters, variables; nothing so short that it would hide half of a message."""
    assert set(secrets_in(operation)) == carried


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("http://host/callback", ()),
        ("http://host/callback/0123456789abcdef", ("0123456789abcdef",)),
        ("http://me:pa55word@host/callback?a=long-value&b=1", ("long-value", "pa55word")),
        ("http://[host/callback", ("http://[host/callback",)),
        (None, ()),
    ],
)
def test_tokens_in_a_callback_url_are_secrets(url: str | None, secrets: tuple[str, ...]) -> None:
    """Words that a path may end in are not."""
    launch = FastExecuteScript(scope=Scope.biz(2), targets=[1], script_content="x", callback_url=url)

    assert secrets_in(launch) == secrets
