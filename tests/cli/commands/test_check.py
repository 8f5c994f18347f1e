"""The way to the platform: each step says how it went, and who must act."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from yarl import URL

from bkjob_async import (
    ApiNotFound,
    BkJobError,
    ErrorDetails,
    InvalidResponse,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TransportFailed,
    UsageError,
)
from bkjob_async.client.checks import (
    FindingState,
    certificate_finding,
    clock_finding,
    finding_of,
    plain_finding,
    proxy_finding,
)
from bkjob_async.client.probes import ProxyRefused, reach
from bkjob_async.configuration.proxies import proxy_for
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from tests.cli import shell

NOW = datetime(2026, 1, 1, 12, 0, 0, 700_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "step", "actor"),
    [
        (NotAuthenticated, "credentials", "you"),
        (NotAllowed, "permission", "you"),
        (NotFound, "scope", "you"),
        (ApiNotFound, "API", "you"),
        (InvalidResponse, "API", "you"),
        (TransportFailed, "API", "whoever runs the network"),
    ],
)
def test_each_error_says_which_step_failed_and_who_must_act(
    error: type[BkJobError], step: str, actor: str
) -> None:
    """The first class that fits decides."""
    found = finding_of(error(ErrorDetails(message="no")))

    assert (found.step, found.state) == (step, FindingState.FAILED)
    assert found.act.startswith(actor)


def test_credentials_that_nobody_gave_were_not_refused() -> None:
    """Nothing was sent: what gives them is to be repaired, and they may be right."""
    failed = NotAuthenticated(ErrorDetails(message="the credentials provider failed: OSError", sent=False))

    assert finding_of(failed).act == "you: repair what gives the credentials; nothing was sent"


def test_the_permission_to_apply_for_is_named() -> None:
    """As the platform names it."""
    permission = {"actions": [{"id": "access_business", "name": "业务访问"}]}
    found = finding_of(NotAllowed(ErrorDetails(message="no", permission=permission)))

    assert "apply for the permission: 业务访问" in found.text


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (0, FindingState.OK),
        (-5, FindingState.OK),
        (5, FindingState.OK),
        (60, FindingState.WARNING),
        (-60, FindingState.WARNING),
    ],
)
def test_a_clock_is_compared_in_whole_seconds(seconds: int, state: FindingState) -> None:
    """A few seconds do not matter."""
    date = (NOW + timedelta(seconds=seconds)).replace(microsecond=0)

    assert clock_finding(date, NOW, 0.1).state is state


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    """Two weeks before."""
    assert certificate_finding("TLSv1.3", NOW + timedelta(days=90), NOW).state is FindingState.OK
    assert certificate_finding("TLSv1.3", NOW + timedelta(days=3), NOW).state is FindingState.WARNING


def test_http_is_a_warning_unless_on_this_machine() -> None:
    """Everybody in between can read the credentials."""
    assert plain_finding("example.com", is_loopback=False).state is FindingState.WARNING
    assert plain_finding("127.0.0.1", is_loopback=True).state is FindingState.SKIPPED


async def test_a_certificate_of_another_authority_is_found() -> None:
    """With the right one, its end is known, and the time of the server."""
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(theirs)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 no\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "localhost", 0, ssl=theirs)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await reach(URL(f"https://localhost:{port}"), ours)
        authority.configure_trust(ours)
        reached = await reach(URL(f"https://localhost:{port}"), ours)

    assert reached.tls.startswith("TLS")
    assert reached.certificate_ends is not None
    assert (reached.status, reached.date) == (404, datetime(2026, 1, 1, 12, tzinfo=UTC))


def steps(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, tuple[str, str]]]:
    """Return the exit code, and the state and actor of each step."""
    done = shell.run("check", "--json", *arguments, env=env)
    lines = map(json.loads, done.stdout.splitlines())
    return done.returncode, {line["step"]: (line["state"], line["act"].partition(":")[0]) for line in lines}


@pytest.mark.slow
async def test_the_whole_way() -> None:
    """All is well; refused credentials are yours; without a scope nothing is called."""
    site = SiteConfig(app_code="tests", app_secret="another")
    async with (
        Simulator("all-succeed").serve() as well,
        Simulator("all-succeed", site=site).serve() as refusing,
    ):
        good = await asyncio.to_thread(steps, "--url", well.url, "--biz", "2")
        old = await asyncio.to_thread(steps, "--url", well.url, "--biz", "2", "--dialect", "esb-job")
        none = await asyncio.to_thread(steps, "--url", well.url)
        refused = await asyncio.to_thread(steps, "--url", refusing.url, "--biz", "2")

    assert good[0] == 0
    assert {state for state, _ in good[1].values()} == {"ok", "skipped"}
    assert [*good[1]] == ["settings", "DNS", "TLS", "clock", "credentials", "scope", "permission", "limits"]
    assert old[0] == 0
    assert none[1]["scope"] == ("warning", "you")
    assert refused == (3, {**refused[1], "credentials": ("failed", "you")})


@pytest.mark.slow
@pytest.mark.parametrize("command", ["false", "/nonexistent/program"])
def test_a_program_that_gives_no_secret_is_to_be_repaired(command: str, tmp_path: Path) -> None:
    """The secret is set: the profile names where it is kept."""
    config = tmp_path / "config.toml"
    secret = f"command:{json.dumps([command])}"
    config.write_text(
        f'default = "p"\n[profiles.p]\nbiz = 2\napp_code = "a"\nusername = "b"\napp_secret = {secret!r}\n',
        encoding="utf-8",
    )
    with shell.simulator("all-succeed") as url:
        done = shell.run("check", "--url", url, env={"BKJOB_CONFIG": str(config)})

    assert done.returncode == 3
    assert done.stdout.splitlines()[-1].strip() == "→ you: repair the command, which the profile names"


@pytest.mark.slow
def test_a_way_that_ends_early() -> None:
    """A name that does not exist, a port that nobody listens on, a server without TLS."""
    unknown = steps("--url", "https://does-not-exist.invalid/", "--biz", "2")
    closed = steps("--url", "http://127.0.0.1:9", "--biz", "2")
    with shell.simulator("all-succeed") as url:
        plain = steps("--url", url.replace("http:", "https:"), "--biz", "2")

    assert (unknown[0], [*unknown[1]]) == (3, ["settings", "DNS"])
    assert (closed[0], [*closed[1]]) == (3, ["settings", "DNS", "connection"])
    assert (plain[0], plain[1]["TLS"][0]) == (3, "failed")


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any proxy in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("proxied")
def test_the_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for most programs; this machine and what `NO_PROXY` names are reached directly."""
    assert proxy_for("https://bk.example.com/api") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://me:open%20sesame@proxy.example.com:3128")
    found = proxy_for("https://bk.example.com/api")

    assert found == "http://me:open%20sesame@proxy.example.com:3128"
    assert proxy_for("http://bk.example.com/api") is None
    assert proxy_for("https://localhost/api") is proxy_for("https://127.0.0.1:8/api") is None
    monkeypatch.setenv("NO_PROXY", "other.example.com,.bk.example.com,bk.example.com")
    assert proxy_for("https://bk.example.com/api") is None
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy:1080")
    with pytest.raises(UsageError, match="http://HOST:PORT"):
        proxy_for("https://elsewhere.example.com")


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on all bytes."""
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize("is_tls", [True, False])
async def test_a_proxy_is_gone_through(*, is_tls: bool) -> None:
    """By a tunnel for TLS; one that wants another user refuses, and says so."""
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("bk.test").configure_cert(theirs)
    authority.configure_trust(ours)
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 no\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\n\r\n")
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split("\r\n")[0])
        if "Proxy-Authorization: Basic bWU6cHc=" not in head:
            writer.write(b"HTTP/1.1 407 who\r\n\r\n")
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", port)
        if head.startswith("CONNECT"):
            writer.write(b"HTTP/1.1 200 go\r\n\r\n")
        else:
            back.write(head.encode())
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=theirs if is_tls else None)
    port = server.sockets[0].getsockname()[1]
    proxy_server = await asyncio.start_server(forward, "127.0.0.1", 0)
    where = f"127.0.0.1:{proxy_server.sockets[0].getsockname()[1]}"
    scheme = "https" if is_tls else "http"
    url = URL(f"{scheme}://bk.test:443/api")
    async with server, proxy_server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(f"{scheme.upper()}_PROXY", f"http://me:pw@{where}")
            known = proxy_for(str(url))
            patch.setenv(f"{scheme.upper()}_PROXY", f"http://{where}")
            unknown = proxy_for(str(url))
        context = ours if is_tls else None
        reached = await reach(url, context, known)
        with pytest.raises(ProxyRefused) as refused:
            await reach(url, context, unknown)

    assert (reached.status, reached.tls.startswith("TLS")) == (404, is_tls)
    assert asked[0] == ("CONNECT bk.test:443 HTTP/1.1" if is_tls else "HEAD http://bk.test:443/api HTTP/1.1")
    assert refused.value.status == 407
    assert proxy_finding(407).act.startswith("you")


@pytest.mark.slow
def test_a_proxy_that_does_not_answer_is_named() -> None:
    """And the client goes the same way."""
    env = {**shell.IDENTITY, "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "BKJOB_BIZ": "2"}
    code, found = steps("--url", "http://bk.test/api", env=env)
    client = shell.run("status", "--url", "http://bk.test/api", "--deadline", "2", "100", env=env)

    assert (code, [*found]) == (3, ["settings", "proxy", "DNS", "connection"])
    assert "127.0.0.1" in client.stderr
