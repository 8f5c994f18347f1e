"""The README as package indexes show it: hatchling calls this when it builds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)\n*")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")


class LongDescription(MetadataHookInterface):
    """Sets the project's README, whose links are relative to the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme`."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = metadata.get("urls", {}).get("Repository", "")
        text = long_description(text, repository, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def long_description(text: str, repository: str, version: str) -> str:
    """Return the README with links into the *repository* at its *version*; without one, with their words alone.

    A link within the page leads nowhere on a package index, so it becomes its words, too.
    """

    def picture(found: re.Match[str]) -> str:
        words, place = found.groups()
        if is_absolute(place):
            return found[0]
        return f"![{words}]({repository}/raw/v{version}/{place})\n\n" if repository else ""

    def link(found: re.Match[str]) -> str:
        words, place = found.groups()
        if is_absolute(place):
            return found[0]
        if not repository or place.startswith("#"):
            return words
        return f"[{words}]({repository}/blob/v{version}/{place})"

    return LINK.sub(link, PICTURE.sub(picture, text))


def is_absolute(place: str) -> bool:
    """Return True if a link names its server."""
    return place.startswith(("https://", "http://"))
