"""What certainly never reached the platform says so: nobody has to look there for what a command did."""

from __future__ import annotations

import errno
import os
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme
from yarl import URL

from bkjob_async.errors import TransportFailed
from bkjob_async.http_messages import HttpRequest
from bkjob_async.wire import aiohttp_transport
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.fast_http import pool
from bkjob_async.wire.fast_http.pool import ConnectionPool
from tests.wire import raw_server


@pytest.mark.parametrize(
    "reply", [None, b"\x00\x01\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]
)
async def test_a_command_to_which_a_proxy_opens_no_way_was_not_sent(reply: bytes | None) -> None:
    """It closes, writes something else than HTTP, or lets nothing through."""
    async with raw_server.serving(lambda *_: reply) as (_, url):
        proxy = f"http://me:pa55word@127.0.0.1:{url.port}"
        async with aiohttp.ClientSession(proxy=proxy) as lent:
            for transport in AiohttpTransport(HttpOptions(proxy=proxy)), AiohttpTransport(session=lent):
                with pytest.raises(TransportFailed) as failed:
                    await transport.send(
                        HttpRequest(method="POST", url=URL("https://platform.invalid/"), body=b"{}"),
                        timeout=5,
                    )
                await transport.aclose()

                assert not failed.value.details.sent
                assert "pa55word" not in str(failed.value)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_proxy_that_wants_a_user_is_named_without_tls_as_well(method: str) -> None:
    """Its response is not the platform's."""
    no = b"HTTP/1.1 407 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    async with raw_server.serving(lambda *_: no) as (_, url):
        transport = AiohttpTransport(HttpOptions(proxy=f"http://127.0.0.1:{url.port}"))
        with pytest.raises(TransportFailed, match="the proxy asks for a user and password") as failed:
            await transport.send(HttpRequest(method=method, url=URL("http://platform.invalid/")), timeout=5)
        await transport.aclose()

    assert not failed.value.details.sent


async def test_a_command_to_a_url_that_aiohttp_refuses_was_not_sent(unused_tcp_port: int) -> None:
    """It takes no short forms of addresses."""
    transport = AiohttpTransport()
    with pytest.raises(TransportFailed, match=r"127\.1") as failed:
        await transport.send(
            HttpRequest(method="POST", url=URL(f"http://127.1:{unused_tcp_port}/"), body=b"{}"), timeout=5
        )
    await transport.aclose()

    assert not failed.value.details.sent


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_lack_of_file_descriptors_at_the_first_request_is_no_lasting_one(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request opens more than its connection; once it can, polls bypass the session."""

    def none_left(*_: object) -> ConnectionPool:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with raw_server.serving(lambda *_: raw_server.answer(b"ok", "Connection: close")) as (_, url):
        transport = AiohttpTransport()
        request = HttpRequest(method=method, url=url)
        with monkeypatch.context() as patch:
            patch.setattr(aiohttp_transport, "ConnectionPool", none_left)
            with pytest.raises(
                TransportFailed, match=r"cannot connect to 127\.0\.0\.1:\d+: OSError"
            ) as failed:
                await transport.send(request, timeout=5)
        response = await transport.send(request, timeout=5)
        is_fast = transport._fast is not None
        await transport.aclose()

    assert not failed.value.details.sent
    assert (response.body, is_fast) == (b"ok", True)


def test_authorities_that_could_not_be_read_are_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """OpenSSL passes over a file that it cannot open, and would trust nobody as long as the process lives."""
    paths = ssl.get_default_verify_paths()._replace(cafile=str(tmp_path / "authorities.pem"))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", lambda _: None)
    pool.tls_context.cache_clear()
    with pytest.raises(OSError, match="No such file"):
        pool.tls_context(True)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "authorities.pem"))

    assert pool.tls_context(True).cert_store_stats()["x509_ca"] == 1
    pool.tls_context.cache_clear()
