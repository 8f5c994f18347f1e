"""The pages that the server sends; what the platform says is data in them, never text of HTML."""

from __future__ import annotations

from functools import cache
from html import escape

from aiohttp import web

from bkjob_async.cli.palette import palette, read_file

NONCE, FIRST = "%nonce%", "%first%"
ICON = '<link rel="icon" href="data:,">'


@cache
def whole_page() -> str:
    """Return the page with its style and its script, before it has a nonce."""
    html, css, script = (
        read_file("bkjob_async.cli.live_page", f"page.{end}") for end in ("html", "css", "js")
    )
    return html.replace("%style%", palette() + css).replace("%script%", script)


def live_page(nonce: str, first_state: bytes) -> web.Response:
    """Return the page with what it shows first; its style and its script are allowed by *nonce*."""
    # No string of JSON ends the element then; the state comes last, and nothing is replaced within it.
    data = first_state.decode("ascii").replace("<", "\\u003c")
    page = whole_page().replace(NONCE, nonce).replace(FIRST, data)
    return web.Response(text=page, content_type="text/html", charset="utf-8")


def entry_page() -> web.Response:
    """Return a page that leads on to the live page."""
    return small_page(200, '<meta http-equiv="refresh" content="0;url=/">', '<a href="/">The page</a>')


def message_page(status: int, text: str) -> web.Response:
    """Return a page with one sentence."""
    return small_page(status, "", escape(text) + ".")


def small_page(status: int, head: str, body: str) -> web.Response:
    """Return a page of one paragraph."""
    return web.Response(
        status=status,
        text=f'<!doctype html><html lang="en"><head><meta charset="utf-8">{head}{ICON}<title>bkjob</title></head>'
        f"<body><p>{body}</p></body></html>\n",
        content_type="text/html",
        charset="utf-8",
    )
