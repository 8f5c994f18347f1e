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
    number = parse_number(headers.get(RESET))
    return None if number is None else seconds_of(number, headers)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, by whichever header says so; None where none does."""
    reset = parse_reset(headers)
    text = headers.get(RETRY_AFTER)
    if reset is not None or text is None:
        return reset
    number = parse_number(text.strip())
    if number is not None:
        return seconds_of(number, headers)
    moment = parse_date(text)
    return None if moment is None else seconds_until(moment, headers)


def seconds_of(number: int, headers: Mapping[str, str]) -> float | None:
    """Return *number* as seconds from the response's date, None for more than an hour."""
    if number >= SECONDS:
        return seconds_until(number / 1000.0 if number >= MILLISECONDS else float(number), headers)
    return float(number) if number <= LONGEST_WINDOW else None


def seconds_until(moment: float, headers: Mapping[str, str]) -> float | None:
    """Return the seconds from when the response was made until *moment*, None unless it is within an hour."""
    made = parse_date(headers.get(DATE))
    if made is None or moment - made > LONGEST_WINDOW:
        return None
    return max(0.0, moment - made)


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
