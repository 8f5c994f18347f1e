"""Credentials that cannot be any are refused where they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bkjob_async as bkjob

NO_TEXT: Any = None
BYTES: Any = b"s3cret"


@pytest.mark.parametrize(
    "make",
    [
        lambda: bkjob.AppCredentials(bk_app_code="ops", bk_app_secret=NO_TEXT),
        lambda: bkjob.AppCredentials(bk_app_code=NO_TEXT, bk_app_secret="s3cret"),
        lambda: bkjob.AppCredentials(bk_app_code="ops", bk_app_secret=BYTES),
        lambda: bkjob.AppCredentials(bk_app_code="ops", bk_app_secret="s3cret", bk_token=BYTES),
        lambda: bkjob.AccessToken(access_token=NO_TEXT),
    ],
)
def test_what_is_no_text_is_refused_and_not_shown(make: Callable[[], object]) -> None:
    """A variable that is not set gives None: not the first call fails, but this."""
    with pytest.raises(bkjob.UsageError, match="must be text") as refused:
        make()

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["bk_app_code", "bk_app_secret", "bk_username", "bk_token", "bk_ticket"])
def test_bytes_that_are_no_text_are_refused_and_not_shown(name: str) -> None:
    """A variable of the environment has them as half of a surrogate pair; the call raised an error that held the secret."""
    given = {"bk_app_code": "ops", "bk_app_secret": "other", name: "s3cret\udcff"}
    for make in (
        lambda: bkjob.AppCredentials(**given),
        lambda: bkjob.AccessToken(access_token=given[name]),
    ):
        with pytest.raises(bkjob.UsageError, match="has half of a surrogate pair") as refused:
            make()

        assert "s3cret" not in repr(refused.value)
