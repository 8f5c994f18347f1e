"""The guide becomes a site: without warnings, without broken links, and without requests to elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bkjob_async.docs.site import PAGES
from tests.docs.chromium import requests_of

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
pytestmark = pytest.mark.deep

RESOURCE = re.compile(
    r"""<(?:script|img|iframe|source|embed)\b[^>]*?\bsrc=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|icon|prefetch|modulepreload))[^>]*?\bhref=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(\s*["']?((?:https?:)?//[^"')]+)"""
    r"""|@import\s+["']((?:https?:)?//[^"']+)"""
)


def outside(text: str) -> list[str]:
    """Return the resources that a page or a style sheet loads from other servers."""
    return [next(filter(None, found)) for found in RESOURCE.findall(text)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once; every warning is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "bkjob_async.docs", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()) == out / "index.html"
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> list[str]:
    """Return the paths of all pages."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log nothing."""


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """Serve the site on the loopback interface."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_page_is_built(pages: list[str]) -> None:
    """No page is forgotten: each Markdown file becomes a page that the index leads to."""
    wanted = {path.relative_to(PAGES).with_suffix(".html").as_posix() for path in PAGES.rglob("*.md")}

    assert wanted <= {*pages}
    assert len(wanted) >= 20


def test_pages_name_no_resource_elsewhere(site: Path) -> None:
    """Scripts, styles, fonts and pictures are files of the site."""
    found = {
        path.name: outside(path.read_text(encoding="utf-8"))
        for pattern in ("*.html", "*.css")
        for path in site.rglob(pattern)
    }

    assert {name: urls for name, urls in found.items() if urls} == {}


async def test_pages_make_no_request_elsewhere(pages: list[str], served: str, tmp_path: Path) -> None:
    """In a browser, too."""
    requests = await requests_of([f"{served}/{page}" for page in pages], tmp_path / "profile")

    assert [url for url in requests if not url.startswith((f"{served}/", "data:", "blob:"))] == []
    assert {f"{served}/{page}" for page in pages} <= set(requests)


async def test_a_request_to_elsewhere_is_seen(tmp_path: Path) -> None:
    """The browser test bites."""
    page = tmp_path / "page.html"
    page.write_text("<script>fetch('https://elsewhere.invalid/x')</script>", encoding="utf-8")

    assert "https://elsewhere.invalid/x" in await requests_of([page.as_uri()], tmp_path / "profile")


@pytest.mark.parametrize(
    "text",
    [
        '<script async src="https://cdn.example/x.js">',
        '<link rel="stylesheet" type="text/css" href="//cdn.example/x.css">',
        '<link href="https://cdn.example/x.css" rel="stylesheet">',
        "src: url(https://fonts.example/x.woff2)",
        '@import "https://fonts.example/x.css"',
    ],
)
def test_a_resource_elsewhere_is_found(text: str) -> None:
    """The search bites."""
    assert len(outside(text)) == 1
    assert (
        outside('<a href="https://example.com/">a link</a> <link rel="canonical" href="https://x.example">')
        == []
    )


def test_the_command_names_its_extra(tmp_path: Path) -> None:
    """Without the extra it names what to install."""
    without = "import sys; sys.modules['sphinx'] = None; from bkjob_async.docs.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", without, str(tmp_path / "out")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.strip().endswith("pip install 'bkjob-async[docs]'")
