"""The gateway's headers about rate limits, valid and invalid."""

import pytest

from bkjob_async.wire.limits.rate_limit_headers import RateLimitHeaders, parse_rate_limit_headers


def headers(**said: str) -> dict[str, str]:
    """Return headers under the gateway's names."""
    return {f"x-bkapi-ratelimit-{name}": value for name, value in said.items()}


def test_a_whole_announcement_is_read() -> None:
    """The plugin says whose quota it is."""
    said = headers(limit="100", remaining="7", reset="3", plugin="bk-resource-rate-limit")

    assert parse_rate_limit_headers(said) == RateLimitHeaders(
        limit=100, remaining=7, reset=3.0, per_resource=True
    )


def test_limit_and_plugin_may_be_missing() -> None:
    """What is left, and for how long, is enough."""
    said = parse_rate_limit_headers(headers(remaining="0", reset="60"))

    assert said == RateLimitHeaders(limit=None, remaining=0, reset=60.0, per_resource=False)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"remaining": "7"},
        {"reset": "3"},
        {"remaining": "7", "reset": "0"},
        {"remaining": "-1", "reset": "3"},
        {"remaining": "many", "reset": "3"},
        {"remaining": "7", "reset": "soon"},
        {"remaining": "7", "reset": "1e3"},
        {"remaining": "\u0667", "reset": "3"},
        {"remaining": "7" * 4000, "reset": "3"},
    ],
)
def test_what_makes_no_sense_is_no_announcement(said: dict[str, str]) -> None:
    """Sites may send nothing, or anything."""
    assert parse_rate_limit_headers(headers(**said)) is None
