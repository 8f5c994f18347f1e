"""The guide's programs without an event loop run where they are meant to run."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS
from tests.sync.clients import connected, fast_simulator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
EXTRA = "install the extra `services`"
HOST = "0:10.0.0.1"
SETTINGS = {"BKJOB_URL": "http://localhost", "BKJOB_APP_CODE": "ops", "BKJOB_APP_SECRET": "made-up"}


@pytest.fixture
def django_view() -> Iterator[ModuleType]:
    """Return the example, in a project with its two routes."""
    conf = pytest.importorskip("django.conf", reason=EXTRA)
    if not conf.settings.configured:
        conf.settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], SECRET_KEY="made-up")
    importlib.import_module("django").setup(set_prefix=False)
    example = importlib.import_module("tests.sync.examples.django_view")
    urls = importlib.import_module("django.urls")
    globals()["urlpatterns"] = [
        urls.path("restart/<host>", example.restart),
        urls.path("jobs/<int:job>", example.progress),
    ]
    override = importlib.import_module("django.test.utils").override_settings
    with override(ROOT_URLCONF=__name__, **SETTINGS):
        yield example


def test_django(django_view: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views in several threads share the client of the process."""
    client_of_django = importlib.import_module("django.test").Client
    simulator = fast_simulator(site=SiteConfig(outcomes=(FAILS,)))
    with django_view.jobs() as unused:
        assert repr(unused) == "<synchronous JobClient open: gateway-v3 at http://localhost>"
    django_view.jobs.cache_clear()
    with connected(simulator, interval=0.02) as client, ThreadPoolExecutor(8) as pool:
        monkeypatch.setattr(django_view, "jobs", lambda: client)
        restarted = list(pool.map(lambda _: client_of_django().get(f"/restart/{HOST}"), range(16)))
        seen = client_of_django().get("/jobs/20000000001")

    assert [each.json() for each in restarted] == [{"ok": False, "failed": [HOST]}] * 16
    assert seen.json() == {"status": "FAIL", "finished": True}


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a Celery worker with a pool of two forked processes."""
    words = ["celery", "-A", "tests.sync.examples.celery_worker", "worker", "-P", "prefork", "-c", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", *words, "--without-mingle", "--without-gossip", "--loglevel", "INFO"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()


SEND = """
import json
from tests.sync.examples.celery_worker import deploy
sent = [deploy.delay(["0:10.0.0.1"], "1.2") for _ in range(4)]
print(json.dumps([each.get(timeout=60) for each in sent]))
"""


def test_celery(tmp_path: Path) -> None:
    """Tasks in two forked processes of a pool, one after the other in each; the worker ends without a complaint."""
    pytest.importorskip("celery", reason=EXTRA)
    for name in ("queue", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "celeryconfig_for_tests.py").write_text(
        f"broker_transport_options = {{'data_folder_in': {str(tmp_path / 'queue')!r},"
        f" 'data_folder_out': {str(tmp_path / 'queue')!r}, 'control_folder': {str(tmp_path / 'control')!r}}}\n"
        "worker_hijack_root_logger = False\n"
    )
    simulator = Simulator(site=SiteConfig(outcomes=(FAILS,)), speed=50.0, at_once=True)
    with simulator.serve_in_thread() as server:
        environment = {
            **os.environ,
            **SETTINGS,
            "BKJOB_URL": server.url,
            "BROKER_URL": "filesystem://",
            "RESULT_BACKEND": f"file://{tmp_path / 'results'}",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
            "CELERY_CONFIG_MODULE": "celeryconfig_for_tests",
        }
        with worker(environment) as process:
            done = subprocess.run(
                [sys.executable, "-c", SEND],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            process.terminate()
            said, _ = process.communicate(timeout=60)

    assert done.returncode == 0, f"{done.stderr}\n{said}"
    results: list[dict[str, Any]] = json.loads(done.stdout)
    assert results == [{"ok": False, "failed": [HOST]}] * 4
    assert "Traceback" not in said
    assert "ERROR" not in said
