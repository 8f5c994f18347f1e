"""Build the guide as a site of static files with Sphinx."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parent
# The parts of Sphinx that the extra `docs` installs.
TOOLS = ("sphinx", "furo", "myst_parser")

CONFIGURATION: dict[str, Any] = {
    "project": "bkjob-async",
    "html_title": "bkjob-async",
    "extensions": ["myst_parser", "sphinx.ext.autodoc"],
    "exclude_patterns": ["**/__pycache__"],
    "myst_heading_anchors": 4,
    "html_theme": "furo",
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_show_sourcelink": False,
    # A word in backticks is a link to the object of that name, if the API pages have one.
    "default_role": "py:obj",
    "autodoc_member_order": "bysource",
    "autodoc_typehints": "description",
    "autodoc_typehints_description_target": "documented",
    "python_use_unqualified_type_names": True,
}


def own_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("bkjob-async")
    except PackageNotFoundError:  # a copy of the sources that nobody installed
        return "0+unknown"


def build(out: Path) -> int:
    """Write the site to *out*; return 0, or 1 if there was a warning, which is written to stderr."""
    from sphinx.application import Sphinx  # noqa: PLC0415 - an optional library

    number = own_version()
    app = Sphinx(
        PAGES,
        None,
        out,
        out / ".doctrees",
        "html",
        confoverrides={**CONFIGURATION, "version": number, "release": number},
        status=None,
        warningiserror=True,
    )
    app.build(force_all=True)
    return app.statuscode
