"""The colours of pages: one theme for light, dark and print, in which every text can be read."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def palette() -> str:
    """Return the colours as rules of a style."""
    return files("bkjob_async.cli").joinpath("palette.css").read_text(encoding="utf-8")
