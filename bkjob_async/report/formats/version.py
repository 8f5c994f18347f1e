"""The version of the package, which every report names."""

from __future__ import annotations

from importlib import import_module


def package_version() -> str:
    """Return the version; the package finds it where it is wanted, which takes longer than the rest."""
    version: str = import_module("bkjob_async").__version__
    return version
