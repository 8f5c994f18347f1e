"""The guide's examples run in the frameworks themselves."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS
from tests.client.clients import CREDENTIALS, SCOPE, URLS

pytestmark = pytest.mark.slow

EXTRA = "install the extra `services`"
HOST = "0:10.0.0.1"


def connected() -> bkjob.JobClient:
    """Return a client of a platform that is two hundred times as fast and lets every host fail."""
    simulator = Simulator(site=SiteConfig(outcomes=(FAILS,)), speed=200.0, at_once=True)
    return bkjob.connect(
        URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, interval=0.02, transport=simulator.transport()
    )


@asynccontextmanager
async def served(application: Any) -> AsyncIterator[dict[str, Any]]:
    """Run the lifespan of an ASGI application, as a server does; yield its state."""
    requests: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.create_task(application(scope, requests.get, replies.put))
    for begin in (True, False):
        requests.put_nowait({"type": "lifespan.startup" if begin else "lifespan.shutdown"})
        reply = await replies.get()
        assert reply["type"].endswith(".complete"), reply
        if begin:
            yield scope["state"]
    await task


async def posted(application: Any, path: str, state: dict[str, Any]) -> Any:
    """Return the JSON that an ASGI application answers to a POST."""
    httpx = pytest.importorskip("httpx", reason=EXTRA)

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "state": dict(state)}, receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(with_state), base_url="http://testserver"
    ) as client:
        response = await client.post(path)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def fastapi_application() -> ModuleType:
    """Return the example."""
    pytest.importorskip("fastapi", reason=EXTRA)
    return importlib.import_module("tests.client.examples.fastapi_lifespan")


async def test_fastapi(fastapi_application: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FastAPI application, with its lifespan."""
    monkeypatch.setattr(fastapi_application, "connect", connected)
    async with served(fastapi_application.app) as state:
        said = await posted(fastapi_application.app, f"/restart/{HOST}", state)

    assert said == {"state": "failed", "hosts": [HOST]}
    with pytest.raises(bkjob.ClientClosed):
        await state["jobs"].get_job_instance_status(1)


def test_a_client_from_the_environment(
    fastapi_application: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command line reads it."""
    for name, value in {"URL": "https://gw/prod", "APP_CODE": "app", "APP_SECRET": "hidden"}.items():
        monkeypatch.setenv(f"BKJOB_{name}", value)

    assert repr(fastapi_application.connect()) == "<JobClient new: gateway-v3 at https://gw/prod>"


@pytest.fixture
def django_application() -> Iterator[ModuleType]:
    """Return the example, in a project with one route."""
    conf = pytest.importorskip("django.conf", reason=EXTRA)
    if not conf.settings.configured:
        conf.settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], SECRET_KEY="made-up")
    importlib.import_module("django").setup(set_prefix=False)
    example = importlib.import_module("tests.client.examples.django_application")
    urls = importlib.import_module("django.urls")
    globals()["urlpatterns"] = [urls.path("restart/<host>", example.restart)]
    override = importlib.import_module("django.test.utils").override_settings
    with override(ROOT_URLCONF=__name__):
        yield example


async def test_django(django_application: ModuleType) -> None:
    """An asynchronous view of a Django project."""
    asgi = importlib.import_module("django.core.asgi")
    application = django_application.WithJobs(asgi.get_asgi_application(), connected)
    async with served(application):
        said = await posted(application, f"/restart/{HOST}", {})

    assert said == {"ok": False, "failed": [HOST]}
