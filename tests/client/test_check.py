"""The way to the platform is checked from Python as by the command line."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import CREDENTIALS, SCOPE
from tests.wire import raw_server

OK, FAILED, WARNING = bkjob.FindingState.OK, bkjob.FindingState.FAILED, bkjob.FindingState.WARNING


async def test_each_step_is_found() -> None:
    """Down to the limits; without a scope nothing is called."""
    with Simulator().serve_in_thread() as platform:
        found = {each.step: each for each in await bkjob.check(platform.url, CREDENTIALS, scope=SCOPE)}
        without = await bkjob.check(platform.url, CREDENTIALS)

    assert [*found] == ["settings", "DNS", "TLS", "clock", "credentials", "scope", "permission", "limits"]
    assert (found["credentials"].state, found["credentials"].text) == (OK, "accepted")
    assert (without[-1].step, without[-1].state) == ("scope", WARNING)
    assert bkjob.from_json(bkjob.to_json(without[-1]), bkjob.Finding) == without[-1]


@pytest.mark.parametrize(
    ("dialect", "api"),
    [
        ("gateway-v3", "get_job_instance_status"),
        ("gateway-v3", "get_step_instance_status"),
        ("gateway-v4", "get_job_instance_status"),
        ("esb-jobv3", "get_job_instance_status"),
    ],
)
async def test_an_api_that_was_not_granted_is_found(dialect: str, api: str) -> None:
    """Each one is applied for by itself: that lists may be read says nothing of the status that watches poll."""
    site = SiteConfig(forbidden_apis={api})
    with Simulator(site=site).serve_in_thread() as platform:
        *_, last = await bkjob.check(platform.url, CREDENTIALS, dialect=dialect, scope=SCOPE)

    assert (last.step, last.state) == ("permission", FAILED)
    assert api in last.text
    assert last.act.startswith("you: apply for the API")


async def test_the_first_step_that_fails_is_the_last() -> None:
    """It says who must act."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    *_, last = await bkjob.check(f"http://127.0.0.1:{port}", CREDENTIALS, scope=SCOPE)

    assert (last.step, last.state) == ("connection", FAILED)
    assert "network" in last.act


@pytest.mark.parametrize(
    "url",
    [
        "http://ops:s3cret@127.0.0.1:1/x",
        "http://127.0.0.1:1/x?token=s3cret",
        "http://127.0.0.1:1/#s3cret",
        "http://ops:s3cret@127.0.0.1:x/",
        "ftp://127.0.0.1/s3cret",
    ],
)
async def test_a_url_that_connect_refuses_is_not_checked(url: str) -> None:
    """Nor shown: it may hold a secret."""
    with pytest.raises(bkjob.UsageError) as checked:
        await bkjob.check(url, CREDENTIALS)
    with pytest.raises(bkjob.UsageError) as connected:
        bkjob.connect(url, CREDENTIALS)

    assert str(checked.value) == str(connected.value)
    assert "s3cret" not in str(checked.value)


async def test_a_proxy_is_named_without_its_password() -> None:
    """It may stand in its URL."""
    http = bkjob.HttpOptions(proxy="http://me:open%20sesame@127.0.0.1:9")
    found = {each.step: each for each in await bkjob.check("https://bk.test", CREDENTIALS, http=http)}

    assert found["proxy"].text == "through http://127.0.0.1:9"
    assert "sesame" not in str(found.values())
    assert found["connection"].state is FAILED


async def test_a_server_that_is_not_verified_is_reached_as_by_the_client() -> None:
    """But nobody is told that all is well with its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with raw_server.serving(lambda *_: raw_server.answer(b""), context) as (_, url):
        http = bkjob.HttpOptions(ssl=False)
        found = {each.step: each for each in await bkjob.check(str(url), CREDENTIALS, http=http)}

    assert found["TLS"].state is WARNING
    assert "is not verified" in found["TLS"].text
    assert [*found] == ["settings", "DNS", "TLS", "clock", "scope"]


@pytest.mark.parametrize("no_proxy", ["", "*"])
async def test_the_proxy_is_that_which_the_client_takes_from_the_environment(
    no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `trust_env` says so: the platform's name need not be known here."""
    async with raw_server.serving(lambda *_: raw_server.answer(b"")) as (proxy, at):
        monkeypatch.setenv("http_proxy", f"http://me:pa55word@127.0.0.1:{at.port}")
        monkeypatch.setenv("no_proxy", no_proxy)
        http = bkjob.HttpOptions(trust_env=True)
        found = {each.step: each for each in await bkjob.check("http://bk.invalid", CREDENTIALS, http=http)}

    if no_proxy:
        assert found["DNS"].state is FAILED
        assert "proxy" not in found
    else:
        assert found["proxy"].text == f"through http://127.0.0.1:{at.port}"
        assert found["DNS"].state is OK
        assert b"Proxy-Authorization: Basic bWU6cGE1NXdvcmQ=" in proxy.heads[0]
