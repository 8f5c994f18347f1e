"""The credentials of a runner's environment."""

from __future__ import annotations

import pytest

import bkjob_async as bkjob
from bkjob_async.configuration.gathering import gather
from bkjob_async.configuration.secret_lookup import SecretLookup
from bkjob_async.many.environment import credentials

VARIABLES = ("ACCESS_TOKEN", "APP_CODE", "APP_SECRET", "USERNAME", "BK_TOKEN", "BK_TICKET", "PROFILE")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with nothing."""
    monkeypatch.setenv("BKJOB_CONFIG", "tests/no-config.toml")
    for name in VARIABLES:
        monkeypatch.delenv(f"BKJOB_{name}", raising=False)


def test_white_space_around_a_variable_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of a file has its line break; the platform would refuse it. It is the same for runners and all others."""
    for name in ("APP_CODE", "APP_SECRET", "USERNAME"):
        monkeypatch.setenv(f"BKJOB_{name}", f" {name.lower()}\n")
    monkeypatch.setenv("BKJOB_ACCESS_TOKEN", " \n")
    expected = bkjob.AppCredentials(
        bk_app_code="app_code", bk_app_secret="app_secret", bk_username="username"
    )

    assert credentials() == expected
    assert SecretLookup().credentials(gather({}, None)) == expected

    monkeypatch.setenv("BKJOB_ACCESS_TOKEN", "token\n")
    assert (
        credentials()
        == SecretLookup().credentials(gather({}, None))
        == bkjob.AccessToken(access_token="token")
    )


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """White space is nothing."""
    monkeypatch.setenv("BKJOB_APP_CODE", "app")
    monkeypatch.setenv("BKJOB_APP_SECRET", "\n")

    with pytest.raises(bkjob.UsageError, match="set BKJOB_APP_SECRET in the environment of this runner"):
        credentials()
