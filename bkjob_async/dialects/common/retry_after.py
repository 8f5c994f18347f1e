"""Seconds to wait by a response's headers: the gateway's own header, and the `Retry-After` that proxies send.

Source: blueking-apigateway-apisix, bk-rate-limit (whole seconds until the window ends); RFC 9110, 10.2.3.
Some gateways put the time itself there, as seconds or milliseconds since 1970: the `Date` header of the same
response makes it a duration, so that no clock of this machine is involved.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from multidict import istr

# Headers of aiohttp find an `istr` without folding its case each time.
RESET = istr("x-bkapi-ratelimit-reset")
RETRY_AFTER, DATE = istr("retry-after"), istr("date")
LONGEST_NUMBER = 13
# Numbers from here on are times in seconds, in milliseconds; no window is that long.
SECONDS, MILLISECONDS = 10**9, 10**11
LONGEST_WINDOW = 3600.0


def parse_reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the limit's window ends, None where *headers* give no usable number."""
    seconds = seconds_of(headers.get(RESET), headers)
    return seconds if seconds is None or seconds <= LONGEST_WINDOW else None


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, by the header that asks for more, an hour at most; None where none does."""
    text = headers.get(RETRY_AFTER)
    by_number = seconds_of(None if text is None else text.strip(), headers)
    by_date = seconds_until(parse_date(text), headers)
    asked = (parse_reset(headers), by_number, by_date)
    longest = max((seconds for seconds in asked if seconds is not None), default=None)
    return None if longest is None else min(longest, LONGEST_WINDOW)


def seconds_of(text: str | None, headers: Mapping[str, str]) -> float | None:
    """Return a number as seconds from the response's date, None where *text* is none, or a time without that date."""
    number = parse_number(text)
    if number is None or number < SECONDS:
        return None if number is None else float(number)
    return seconds_until(number / 1000.0 if number >= MILLISECONDS else float(number), headers)


def seconds_until(moment: float | None, headers: Mapping[str, str]) -> float | None:
    """Return the seconds from when the response was made until *moment*, None unless both are known."""
    made = parse_date(headers.get(DATE))
    return None if made is None or moment is None else max(0.0, moment - made)


def parse_date(text: str | None) -> float | None:
    """Return an HTTP date as seconds since 1970, None where it is none."""
    if text is None or len(text) > 64:
        return None
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def parse_number(text: str | None) -> int | None:
    """Return a header's whole number, None where there is none."""
    if text is None or len(text) > LONGEST_NUMBER or not (text.isascii() and text.isdigit()):
        return None
    return int(text)
