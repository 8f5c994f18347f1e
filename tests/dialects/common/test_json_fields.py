"""Times, zones, flags and numbers as text: one table each."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest

from bkjob_async.dialects.common.json_fields import (
    DEFAULT_ZONE,
    MILLISECONDS,
    SECONDS,
    JsonObject,
    as_flag,
    as_integer,
    as_number,
    as_time,
    read_times,
)
from bkjob_async.engine.tracking.packed_times import packed_times, unpacked_times
from bkjob_async.errors import InvalidResponse

MOMENT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
TOKYO = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("value", "zone", "time"),
    [
        (1_700_000_000_000, DEFAULT_ZONE, MOMENT),
        ("1700000000000", DEFAULT_ZONE, MOMENT),
        (1_700_000_000, DEFAULT_ZONE, MOMENT),
        (1_700_000_000_500, DEFAULT_ZONE, MOMENT + timedelta(milliseconds=500)),
        ("2023-11-15 06:13:20", DEFAULT_ZONE, MOMENT),
        ("2023-11-15 07:13:20", TOKYO, MOMENT),
        ("2023-11-15 06:13:20 +0800", TOKYO, MOMENT),
        ("2023-11-15 06:13:20 +08:00", TOKYO, MOMENT),
        ("2023-11-14T22:13:20Z", TOKYO, MOMENT),
        (" 2023-11-15 06:13:20 ", DEFAULT_ZONE, MOMENT),
        (None, DEFAULT_ZONE, None),
        ("", DEFAULT_ZONE, None),
        (0, DEFAULT_ZONE, None),
        (-1, DEFAULT_ZONE, None),
        (True, DEFAULT_ZONE, None),
        (2**62, DEFAULT_ZONE, None),
        # Zero and never, as servers write them.
        ("1970-01-01 08:00:00", DEFAULT_ZONE, None),
        ("0000-00-00 00:00:00", DEFAULT_ZONE, None),
        ("0001-01-01 00:00:00", DEFAULT_ZONE, None),
        ("0001-01-01T00:00:00Z", DEFAULT_ZONE, None),
        ("9999-12-31 23:59:59 -1400", DEFAULT_ZONE, None),
        ("9999-12-31T23:59:59Z", DEFAULT_ZONE, None),
        (253_402_300_799_000, DEFAULT_ZONE, None),
        ("1970-01-01 08:00:01", DEFAULT_ZONE, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (
            "9999-12-31 07:59:59",
            DEFAULT_ZONE,
            datetime(9999, 12, 30, 23, 59, 59, tzinfo=UTC),
        ),
        ("yesterday", DEFAULT_ZONE, None),
        ([], DEFAULT_ZONE, None),
    ],
)
def test_a_time_is_read_in_every_form(value: object, zone: tzinfo, time: datetime | None) -> None:
    """Milliseconds, seconds, text with an offset and without one name the same time, always with a zone."""
    read = as_time(value, zone)

    assert read == time
    assert read is None or read.tzinfo is not None


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "9999-12-31T23:59:59Z", "9999-12-31 07:59:59"])
def test_every_time_that_is_read_is_one_in_any_zone(text: str) -> None:
    """Of a job's times all are shown in the zone of the first: a poll may fail for none of them."""
    body = {"create_time": "2023-11-15 06:13:20", "start_time": text, "end_time": 253_402_214_399_000}
    times = read_times(JsonObject(body), unit=SECONDS)

    assert unpacked_times(packed_times(times)) == times
    for moment in (times.start_time, times.end_time):
        assert moment is None or moment.astimezone(timezone(timedelta(hours=23, minutes=59))) == moment


@pytest.mark.parametrize(("unit", "total", "seconds"), [(SECONDS, 3.169, 3.169), (MILLISECONDS, 3169, 3.169)])
def test_a_duration_is_seconds(unit: float, total: float, seconds: float) -> None:
    """The oldest dialect counts seconds, all others milliseconds."""
    assert read_times(JsonObject({"total_time": total}), unit=unit).total_time == seconds


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7", 7), (" -7 ", -7), ("7.0", 7), (7.0, 7), (2**40, 2**40), ("20004841045", 20004841045)],
)
def test_a_whole_number_may_be_text(value: object, number: int) -> None:
    """Numbers sent as text or as float are numbers."""
    assert as_integer(value) == number


@pytest.mark.parametrize(
    "value", [True, "", "x", "7.5", 7.5, 2**63, -(2**63) - 1, "9" * 20, None, [], {}, "٣x"]
)
def test_what_is_no_whole_number_is_none(value: object) -> None:
    """Booleans are no numbers, and what does not fit 64 bits is none either."""
    assert as_integer(value) is None


@pytest.mark.parametrize(
    ("value", "number"), [("3.5", 3.5), (3, 3.0), (True, None), ("x", None), ("inf", None)]
)
def test_a_number_may_be_text(value: object, number: float | None) -> None:
    """Durations come as text, too."""
    assert as_number(value) == number


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (0, False),
        ("true", True),
        ("False", False),
        ("1", True),
        (2, None),
        ([], None),
        (1.5, None),
    ],
)
def test_a_flag_may_be_text_or_number(value: object, flag: bool | None) -> None:  # noqa: FBT001
    """Booleans come as text and as 0 and 1, too."""
    assert as_flag(value) is flag


@pytest.mark.parametrize(
    ("read", "complaint"),
    [
        (lambda it: it.child("a").integer("missing"), "$.a.missing: expected a whole number, found nothing"),
        (lambda it: it.child("a").integer("word"), "$.a.word: expected a whole number, found text"),
        (
            lambda it: it.child("a").identity("zero"),
            "$.a.zero: expected a positive whole number, found a number",
        ),
        (
            lambda it: it.child("a").children("rows")[1].text("ip"),
            "$.a.rows[1].ip: expected text, found a list",
        ),
        (lambda it: it.child("b"), "$.b: expected an object, found nothing"),
        (lambda it: it.child("a").children("word"), "$.a.word: expected a list, found text"),
        (lambda it: it.child("a").flag("word"), "$.a.word: expected a boolean, found text"),
        (lambda it: it.child("a").texts("rows"), "$.a.rows: expected a list of texts, found a list"),
        (lambda it: it.child("a").number("word"), "$.a.word: expected a number, found text"),
    ],
)
def test_a_complaint_names_the_place_and_never_the_value(read: Any, complaint: str) -> None:
    """The error of an unusable response says where, what was expected and what kind of thing stood there."""
    json_response = JsonObject({"a": {"word": "secret", "zero": 0, "rows": [{"ip": "x"}, {"ip": []}]}})

    with pytest.raises(InvalidResponse) as caught:
        read(json_response)

    assert caught.value.details.message == complaint


def test_the_first_name_that_says_anything_is_read() -> None:
    """A null under today's name does not hide what stands under an older one."""
    fields = JsonObject({"execute_count": None, "retry_count": 2})

    assert fields.integer("execute_count", "retry_count") == 2
