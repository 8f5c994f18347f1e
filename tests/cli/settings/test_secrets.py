"""A secret is looked up where the profile says, in order, and shown nowhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from bkjob_async import AccessToken, AppCredentials, UsageError
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.configuration.connecting import renewing
from bkjob_async.configuration.secret_lookup import SecretLookup
from bkjob_async.configuration.secrets import parse_sources
from bkjob_async.configuration.settings import Profile, resolve

SECRET = "not-to-be-seen"
PRINTS = [sys.executable, "-c", f"print({SECRET!r}); print('second line')"]


def credentials(
    environ: dict[str, str] | None = None, ask: Any = None, **profile: Any
) -> AppCredentials | AccessToken:
    """Return the credentials of an environment and a profile."""
    values = Profile(name="prod", path=Path("config.toml"), values=profile)
    return SecretLookup(ask).credentials(resolve({}, environ or {}, values))


def command(*argv: str) -> str:
    """Return the text that names a program."""
    return "command:[" + ", ".join('"' + word.replace('"', '\\"') + '"' for word in argv) + "]"


def test_the_environment_has_secrets_themselves() -> None:
    """An access token stands for all; empty variables count as absent."""
    app = {
        "BKJOB_APP_CODE": "app",
        "BKJOB_APP_SECRET": "hush",
        "BKJOB_USERNAME": "",
        "BKJOB_BK_TICKET": "t",
    }

    assert credentials(app) == AppCredentials(bk_app_code="app", bk_app_secret="hush", bk_ticket="t")
    assert credentials({**app, "BKJOB_ACCESS_TOKEN": "at"}) == AccessToken(access_token="at")
    with pytest.raises(UsageError, match="BKJOB_APP_CODE and BKJOB_APP_SECRET"):
        credentials({})


def test_a_stronger_place_decides_which_credentials_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's access token does not stand for a secret of the environment, nor its user for another user."""
    monkeypatch.setenv("OPS", "from elsewhere")
    app = {"BKJOB_APP_CODE": "app", "BKJOB_APP_SECRET": "hush", "BKJOB_USERNAME": "me"}

    assert credentials(app, access_token="env:OPS", bk_token="env:OPS") == AppCredentials(
        bk_app_code="app", bk_app_secret="hush", bk_username="me"
    )


def test_the_next_source_is_used_where_one_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the list."""
    monkeypatch.delenv("NONE", raising=False)

    found = credentials(app_code="app", app_secret=["env:NONE", command(*PRINTS)])

    assert found == AppCredentials(bk_app_code="app", bk_app_secret=SECRET)


def test_a_keyring_that_cannot_be_used_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And the next source is tried."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("OPS", SECRET)

    found = credentials(
        app_code="app", app_secret=["keyring:one", "env:OPS"], bk_token=["keyring:two", "env:OPS"]
    )

    assert found == AppCredentials(bk_app_code="app", bk_app_secret=SECRET, bk_token=SECRET)
    assert caplog.text.count("the keyring") == 1


class Keyring(KeyringBackend):
    """Knows one password of each user of each service."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str:
        """Return both names."""
        return f"{service}/{username}"

    def set_password(self, service: str, username: str, password: str) -> None:
        """Refuse: nothing is stored by the command."""
        raise AssertionError


def test_a_keyring_has_secrets_of_the_service_bkjob() -> None:
    """Whatever keeps them."""
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]  # keyring has types in part
    try:
        found = credentials(app_code="app", app_secret="keyring:prod")
    finally:
        keyring.set_keyring(before)

    assert found == AppCredentials(bk_app_code="app", bk_app_secret="bkjob/prod")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["/nonexistent/program", SECRET], "cannot be run"),
        ([sys.executable, "-c", f"import sys; print({SECRET!r}); sys.exit(3)"], "failed with exit code 3"),
        ([sys.executable, "-c", ""], "wrote nothing"),
    ],
)
def test_a_program_that_fails_is_named_without_its_arguments(argv: list[str], complaint: str) -> None:
    """What it wrote is not shown, either."""
    with pytest.raises(UsageError, match=complaint) as failed:
        credentials(app_code="app", app_secret=command(*argv))

    assert SECRET not in str(failed.value)
    assert argv[0] in str(failed.value)


def test_the_user_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where somebody can answer; else it is said what was tried."""
    monkeypatch.delenv("NONE", raising=False)
    asked: list[str] = []

    def ask(name: str) -> str:
        asked.append(name)
        return SECRET

    found = credentials(ask=ask, app_code="app", app_secret="env:NONE")

    assert found == AppCredentials(bk_app_code="app", bk_app_secret=SECRET)
    assert asked == ["app_secret"]
    with pytest.raises(UsageError, match=r"set BKJOB_APP_SECRET.*tried env:NONE"):
        credentials(app_code="app", app_secret="env:NONE")


async def test_a_program_is_asked_again_when_its_secret_was_refused(tmp_path: Path) -> None:
    """Tickets expire while a watch goes on."""
    counter = tmp_path / "calls"
    program = [
        sys.executable,
        "-c",
        f"f = open({str(counter)!r}, 'a+'); f.write('x'); f.seek(0); print(f.read())",
    ]
    values = {"app_code": "app", "app_secret": "env:HOME", "bk_ticket": command(*program)}
    settings = resolve({}, {}, Profile(name="prod", path=Path(), values=values))

    first = SecretLookup(None).credentials(settings)
    provide = renewing(first, settings)

    assert callable(provide)
    assert [(await provide()).bk_ticket for _ in range(3)] == ["x", "xx", "xxx"]  # type: ignore[union-attr]


def test_neither_sources_nor_settings_show_arguments_of_programs() -> None:
    """Someone may write the secret there after all."""
    (source,) = parse_sources(command("pass", SECRET), "app_secret")

    assert source.kind == "command"
    assert SECRET not in repr(source) + str(source)
    assert str(source) == "command:pass"


def test_a_certificate_authority_that_is_not_there_is_wrong_usage() -> None:
    """Before anything is sent."""
    environ = {
        "BKJOB_URL": "https://example.com",
        "BKJOB_APP_CODE": "a",
        "BKJOB_APP_SECRET": "b",
        "BKJOB_CA_FILE": "/nonexistent.pem",
    }

    with pytest.raises(UsageError, match=r"/nonexistent.pem: No such file"):
        client_of(resolve({}, environ, None))
