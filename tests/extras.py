"""Install the wheel with each extra alone, and use what the extra is for: `python -m tests.extras`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]

# What every installation can do: a job of the simulated platform is watched until it ends.
WATCH = """
import asyncio, sys
import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator

async def main():
    simulator = Simulator("some-fail", speed=1000)
    credentials = bkjob.AppCredentials(bk_app_code="a", bk_app_secret="b", bk_username="c")
    client = bkjob.connect("http://simulator/prod", credentials, transport=simulator.transport(), interval=0.01)
    async with client:
        result = await client.wait(simulator.refs[0], deadline=60)
    assert len(result.failed) == 3, result
    return client

client = asyncio.run(main())
"""
OPTIONAL = (
    "click",
    "distributed",
    "keyring",
    "opentelemetry",
    "prometheus_client",
    "pytest",
    "redis",
    "rich",
    "sphinx",
)

# What is run in an environment with one extra, after the watch.
USES: Mapping[str, str] = {
    "": f"assert not {{*{OPTIONAL!r}}} & {{*sys.modules}}, sys.modules.keys()",
    "prometheus": """
import prometheus_client
registry = prometheus_client.CollectorRegistry()
registry.register(bkjob.PrometheusCollector(client))
assert b"bkjob_targets" in prometheus_client.generate_latest(registry)
""",
    "opentelemetry": "bkjob.OpenTelemetryObserver()",
    "cli": """
import subprocess
said = subprocess.run([sys.executable, "-m", "bkjob_async", "--help"], capture_output=True, text=True, check=True)
assert "demo" in said.stdout
""",
    "keyring": "import keyring",
    "redis": """
try:
    bkjob.open_journal("redis://127.0.0.1:1/0")
except bkjob.JournalError:
    pass
import redis
""",
    "dask": "import bkjob_async.many.on_dask, redis",
    "testing": """
import pathlib, subprocess
test = "def test_it(bkjob_simulator):\\n    assert not bkjob_simulator.refs\\n"
pathlib.Path("test_it.py").write_text(test)
said = subprocess.run([sys.executable, "-m", "pytest", "-q"], capture_output=True, text=True)
assert "1 passed" in said.stdout, said.stdout + said.stderr
""",
    "docs": """
import subprocess
subprocess.run([sys.executable, "-m", "bkjob_async.docs", "site"], check=True)
""",
    "services": "import celery, django, fastapi, httpx",
    "sdk": "import bkapi_client_core, bkapi_component",
    "benchmarks": "import bkapi_client_core, httpx, orjson",
}


def run(words: Sequence[str | Path], cwd: Path) -> str:
    """Run a command; return its output, or raise with it."""
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, words[:4]))} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def try_extra(extra: str, wheel: Path, folder: Path) -> None:
    """Install the wheel with one *extra* into an empty environment, and use it."""
    folder.mkdir()
    run([sys.executable, "-m", "venv", "--without-pip", "environment"], folder)
    own = folder / "environment" / "bin" / "python"
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    run([sys.executable, "-m", "pip", "--python", own, "install", "--quiet", wanted], folder)
    run([own, "-W", "error::RuntimeWarning", "-c", WATCH + USES[extra]], folder)


def main() -> int:
    """Try each extra; print a line for each, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.extras", description=__doc__)
    parser.add_argument("extras", nargs="*", help="by default all but dev, and none")
    chosen = parser.parse_args().extras or [*USES]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        run([sys.executable, "-m", "build", "--wheel", "--outdir", place, ROOT], place)
        (wheel,) = place.glob("*.whl")
        for extra in chosen:
            try:
                try_extra(extra, wheel, place / (extra or "none"))
            except RuntimeError as error:
                failed += 1
                print(f"{extra or 'none'}: {error}", flush=True)
            else:
                print(f"{extra or 'none'}: works alone", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
