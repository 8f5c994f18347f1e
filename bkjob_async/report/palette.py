"""Read the files that pages are made of, and the colours that all pages share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read_file(package: str, name: str) -> str:
    """Return the text of a file beside the code of a *package*."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def palette() -> str:
    """Return the colours as rules of a style."""
    return read_file("bkjob_async.report", "palette.css")
