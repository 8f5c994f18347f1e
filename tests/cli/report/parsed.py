"""A page as a strict parser reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import html5lib

XHTML = "{http://www.w3.org/1999/xhtml}"
# What a report is made of; anything else came from a name.
ELEMENTS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "section",
        "footer",
        "h1",
        "h2",
        "p",
        "span",
        "b",
        "code",
        "pre",
        "div",
        "ul",
        "li",
        "time",
        "figure",
        "details",
        "summary",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "defs",
        "pattern",
        "rect",
        "circle",
        "path",
        "line",
        "clipPath",
    ]
)

APART = frozenset(["title", "h1", "h2", "p", "li", "tr", "td", "th", "div", "pre", "summary"])


def parsed(page: str) -> Element:
    """Return the page; raise for whatever the standard of HTML calls an error."""
    document: Element = html5lib.HTMLParser(strict=True).parse(page)
    return document


def local(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def text_of(element: Element) -> str:
    """Return the text of an element and all inside it, but its style; cells and blocks are words apart."""
    return " ".join("".join(pieces(element)).split())


def pieces(element: Element) -> Iterator[str]:
    """Yield the texts inside an element in their order."""
    apart = " " if local(element) in APART else ""
    yield apart
    if local(element) != "style":
        yield element.text or ""
    for each in element:
        yield from pieces(each)
        yield each.tail or ""
    yield apart


def foreign(document: Element) -> list[str]:
    """Return elements and attributes that a report has not: scripts, handlers, links."""
    found = [local(element) for element in document.iter() if local(element) not in ELEMENTS]
    for element in document.iter():
        for name, value in element.attrib.items():
            if name.startswith("on") or name in {"style", "href", "src", "srcdoc", "action"}:
                found.append(f"{local(element)} {name}={value}")
            if "url(" in value and not re.fullmatch(r"url\(#[a-z-]+\)", value):
                found.append(f"{local(element)} {name}={value}")
    return found
