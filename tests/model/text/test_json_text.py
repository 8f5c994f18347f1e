"""The JSON of the platform is read in whichever encoding, and with what other writers of JSON allow."""

import math
from typing import Any

import pytest

from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.snapshot import JobSnapshot
from bkjob_async.model.text.json_text import parse_json
from tests.dialects.sample_operations import DIALECTS, JOB


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\uDE00 and more"', "\ufffd and more"),
        (rb'"\ud83dA"', "\ufffdA"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\\ud83d and \ud83d"', r"\ud83d and " + "\ufffd"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (b'"\xc4 and \\ud83d"', "\ufffd and \ufffd"),
        (b'"\\ud83d and \xc4"', "\ufffd and \ufffd"),
        (rb'{"\ud83d": 1}', {"\ufffd": 1}),
    ],
)
def test_half_of_a_surrogate_pair_costs_one_letter(written: bytes, read: Any) -> None:
    """A text that was cut within a pair has one at its end; the other texts are as they are."""
    assert parse_json(written) == read


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 5000, b"-" + b"9" * 5000])
def test_a_number_that_no_float_can_be_is_infinite(number: bytes) -> None:
    """The rest is read as ever."""
    read = parse_json(b'{"sent": ' + number + rb', "other": 7, "cut": "\ud83d"}')

    assert math.isinf(read["sent"])
    assert (read["sent"] < 0) is number.startswith(b"-")
    assert (read["other"], read["cut"]) == (7, "\ufffd")


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"<html>", b'"\\ud83d', b'"\\ud8"', b'"\\ud83g"', b'"\\x"', b'{"a": "\\ud83d"'),
        *(b"NaN", b"[1e400, NaN]", b"[1e400, Infinity]", b"[1e400", b"[" * 100_000, b"[1e400, " * 100_000),
    ],
)
def test_what_is_no_json_is_none(text: bytes) -> None:
    """NaN is none either."""
    with pytest.raises(ValueError, match="not JSON"):
        parse_json(text)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sent", [rb'"agent \ud83d"', b"1e400", b"9" * 5000])
def test_a_job_is_read_whatever_stands_in_a_member_that_nobody_knows(dialect: str, sent: bytes) -> None:
    """And so is the data in `raw`."""
    steps = b'"blocks":[{"step_instances":[%b]}]' if dialect == "esb-job" else b'"step_instance_list":[%b]'
    flag = b'"is_finished":true' if dialect == "esb-job" else b'"finished":true'
    step = b'{"step_instance_id":8001,"name":"n","status":3,"bk_new":%b}' % sent
    head = b"" if dialect == "gateway-v4" else b'"result":true,"code":0,'
    body = b'{%b"data":{%b,"job_instance":{"status":3},%b}}' % (head, flag, steps % step)

    found: JobSnapshot = DIALECTS[dialect].decode(
        GetJobInstanceStatus(ref=JOB), HttpResponse(status=200, headers={}, body=body)
    )

    assert (found.status.name, found.is_finished, found.steps[0].name) == ("SUCCESS", True, "n")
    assert found.steps[0].raw is not None
    assert found.steps[0].raw["bk_new"] in ("agent \ufffd", math.inf)
