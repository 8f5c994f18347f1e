"""`connect` without arguments reads the environment and the profile, as the command line does."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bkjob_async as bkjob
from bkjob_async import sync
from bkjob_async.configuration.connecting import credentials_from
from bkjob_async.configuration.gathering import gather
from bkjob_async.configuration.settings import SETTINGS, envvar_of
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from tests.client.clients import CREDENTIALS, URLS

PROFILE = """\
default = "prod"
[profiles.prod]
url = "https://prod.example.com"
dialect = "esb-job"
biz = 2
app_code = "ops"
app_secret = "env:OPS_SECRET"
[profiles.other]
url = "https://other.example.com"
biz_set = 9
access_token = %r
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Begin with two profiles and nothing in the environment."""
    for name in SETTINGS:
        monkeypatch.delenv(envvar_of(name), raising=False)
    monkeypatch.delenv("BKJOB_PROFILE", raising=False)
    program = f'command:["{sys.executable}", "-c", "print(\'token\')"]'
    path = tmp_path / "config.toml"
    path.write_text(PROFILE.replace("%r", f"'''{program}'''"))
    path.chmod(0o600)
    monkeypatch.setenv("BKJOB_CONFIG", str(path))
    monkeypatch.setenv("OPS_SECRET", "hush")


def test_the_default_profile_has_all_that_is_not_given() -> None:
    """URL, dialect, scope; the twin reads them as well."""
    client = bkjob.connect()

    assert repr(client) == "<JobClient new: esb-job at https://prod.example.com>"
    assert client.scope == bkjob.Scope.biz(2)
    assert repr(sync.connect()) == "<synchronous JobClient new: esb-job at https://prod.example.com>"


def test_the_environment_and_arguments_are_stronger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each setting the strongest source counts."""
    monkeypatch.setenv("BKJOB_URL", "https://variable.example.com")
    monkeypatch.setenv("BKJOB_BIZ", "7")

    assert bkjob.connect().scope == bkjob.Scope.biz(7)
    assert bkjob.connect(scope=bkjob.Scope.biz(5)).scope == bkjob.Scope.biz(5)
    assert "gateway-v4 at https://variable" in repr(bkjob.connect(dialect="gateway-v4"))
    assert "esb-job at https://given" in repr(bkjob.connect("https://given.example.com"))


def test_an_argument_that_is_given_wins_also_where_it_is_the_usual_one() -> None:
    """The profile has another dialect."""
    assert "gateway-v3 at" in repr(bkjob.connect(dialect="gateway-v3"))


@pytest.mark.parametrize("connect", [bkjob.connect, sync.connect])
def test_a_timeout_that_is_given_wins_also_where_it_is_the_usual_one(
    connect: Callable[..., bkjob.JobClient | sync.JobClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the environment, which wins over nothing."""
    unset = timeout_of(connect())
    monkeypatch.setenv("BKJOB_REQUEST_TIMEOUT", "120")

    assert unset == 30.0
    assert timeout_of(connect()) == 120.0
    assert timeout_of(connect(request_timeout=30)) == 30.0
    assert timeout_of(connect(request_timeout=30.0)) == 30.0


def timeout_of(client: bkjob.JobClient | sync.JobClient) -> float:
    """Return the seconds that one attempt has."""
    ours = client._client if isinstance(client, sync.JobClient) else client
    return ours._session.request_timeout


def test_a_profile_is_chosen_by_name() -> None:
    """Also beside credentials; one that is not there is named."""
    assert bkjob.connect(profile="other").scope == bkjob.Scope.biz_set(9)
    assert bkjob.connect(None, CREDENTIALS, profile="other").scope == bkjob.Scope.biz_set(9)
    with pytest.raises(bkjob.UsageError, match="no profile 'third'; it has: other, prod"):
        bkjob.connect(profile="third")


def test_url_and_credentials_need_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read where both are given."""
    monkeypatch.setenv("BKJOB_BIZ", "nonsense")

    assert bkjob.connect(URLS["gateway-v3"], CREDENTIALS).scope is None
    with pytest.raises(bkjob.UsageError, match="BKJOB_BIZ is a whole number"):
        bkjob.connect()


def test_options_of_http_keep_what_the_settings_say_of_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further headers do not lead around the proxy, or past the authorities that are trusted."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    headers = bkjob.HttpOptions(headers={"X-Trace": "1"})

    assert proxy_of(bkjob.connect(http=headers)) == "http://proxy.example.com:3128"
    assert proxy_of(bkjob.connect(http=bkjob.HttpOptions(trust_env=True))) is None
    assert (
        proxy_of(bkjob.connect(http=bkjob.HttpOptions(proxy="http://own.example.com:80")))
        == "http://own.example.com:80"
    )
    monkeypatch.setenv("BKJOB_CA_FILE", "/nonexistent.pem")
    with pytest.raises(bkjob.UsageError, match=r"/nonexistent.pem: No such file"):
        bkjob.connect(http=headers)
    assert bkjob.connect(http=bkjob.HttpOptions(ssl=False)).scope == bkjob.Scope.biz(2)


def proxy_of(client: bkjob.JobClient) -> str | None:
    """Return the proxy that a client sends requests to."""
    transport = client._session.transport
    assert isinstance(transport, AiohttpTransport)
    return transport._options.proxy


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By all places where it can be given."""
    monkeypatch.setenv("BKJOB_CONFIG", str(tmp_path / "none.toml"))

    with pytest.raises(
        bkjob.UsageError, match="which platform: give its url, set BKJOB_URL, or name it in a profile"
    ):
        bkjob.connect()
    with pytest.raises(bkjob.UsageError, match="set BKJOB_APP_CODE and BKJOB_APP_SECRET in the environment"):
        bkjob.connect("https://given.example.com")


async def test_a_program_is_asked_when_it_is_needed() -> None:
    """Its secret is no part of the client before."""
    provide = credentials_from(gather({}, "other"))

    assert callable(provide)
    assert await provide() == bkjob.AccessToken(access_token="token")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("env:NOWHERE", "set BKJOB_APP_SECRET in the environment: there is no app_secret; tried env:NOWHERE"),
        ('command:["/nowhere", "word"]', "command:/nowhere cannot be run: No such file or directory"),
        (r'command:["true", "word\u0000"]', "command:true cannot be run: no argument of a program can hold"),
        (r'command:["true", "word\ud800"]', "command:true cannot be run: no argument of a program can hold"),
        (r'command:["\ud800"]', "cannot be run: no argument of a program can hold"),
    ],
)
async def test_what_a_profile_lacks_is_said_by_the_call_that_needs_it(
    source: str, said: str, tmp_path: Path
) -> None:
    """The platform has nothing to do with it."""
    config = f"""default = "p"\n[profiles.p]\nurl = "http://localhost:9"\napp_code = "app"\napp_secret = '{source}'"""
    (tmp_path / "config.toml").write_text(config)

    async with bkjob.connect() as client:
        with pytest.raises(bkjob.NotAuthenticated) as refused:
            await client.get_job_instance_status(bkjob.JobRef(bkjob.Scope.biz(2), 100))

    assert said in str(refused.value)
    assert "word" not in str(refused.value)
