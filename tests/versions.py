"""Run tests with every supported Python that pyenv has, `python -m tests.versions`, or with the oldest aiohttp."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.__main__ import PARALLEL, PURE_TESTS, QUICK, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OLDEST = tuple(map(int, re.findall(r"\d+", PROJECT["requires-python"])))

Version = tuple[int, ...]


def versions(listed: str) -> list[Version]:
    """Return the newest of each supported minor version in the output of `pyenv versions --bare`."""
    newest: dict[Version, Version] = {}
    for line in listed.splitlines():
        if found := re.fullmatch(r"\s*(\d+)\.(\d+)\.(\d+)\s*", line):
            version = tuple(map(int, found.groups()))
            if version[:2] >= OLDEST:
                newest[version[:2]] = max(version, newest.get(version[:2], version))
    return sorted(newest.values())


def interpreters() -> dict[str, Path]:
    """Return the supported interpreters of pyenv by version; without pyenv, the one that runs this."""
    if shutil.which("pyenv") is None:
        return {".".join(map(str, sys.version_info[:3])): Path(sys.executable)}
    ask = ["pyenv", "versions", "--bare"], ["pyenv", "root"]
    listed, root = (subprocess.run(words, capture_output=True, text=True, check=True).stdout for words in ask)
    names = [".".join(map(str, version)) for version in versions(listed)]
    return {name: Path(root.strip()) / "versions" / name / "bin" / "python" for name in names}


def environment(python: Path, folder: Path, needed: Sequence[str] = ("--editable", ".[dev]")) -> Path:
    """Create a virtual environment with everything that is *needed*; return its interpreter."""
    own = folder / "bin" / "python"
    if not own.exists():
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
        install = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(own),
            "install",
            "--quiet",
            *needed,
        ]
        subprocess.run(install, cwd=ROOT, check=True)
    return own


def try_oldest_aiohttp(folder: Path) -> int:
    """Run what stands directly on aiohttp with the oldest one that is allowed; return the exit code."""
    (oldest,) = re.findall(r"aiohttp>=([0-9.]+)", " ".join(PROJECT["dependencies"]))
    needed = ("--editable", ".[testing]", "hypothesis", "trustme", f"aiohttp=={oldest}")
    own = environment(Path(sys.executable), folder, needed)
    print(f"== aiohttp {oldest}: pytest tests/wire", flush=True)
    return subprocess.call([own, "-m", "pytest", "-p", "no:cacheprovider", "tests/wire"], cwd=ROOT)


def tests(*, whole: bool, paths: Sequence[str]) -> list[str]:
    """Return the arguments for pytest."""
    return [
        "-q",
        "-p",
        "no:cacheprovider",
        *PARALLEL,
        *(() if whole else QUICK),
        *(paths or (() if whole else PURE_TESTS)),
    ]


def main() -> int:
    """Run the tests with each interpreter; print a line for each, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument("paths", nargs="*", help="tests; by default those of the pure rooms")
    parser.add_argument("--only", metavar="VERSION", help="the beginning of a version: 3.13")
    parser.add_argument("--whole", action="store_true", help="all tests, slow ones too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the virtual environments there")
    parser.add_argument(
        "--oldest-aiohttp", action="store_true", help="this Python, the oldest aiohttp, its tests"
    )
    options = parser.parse_args()
    if options.oldest_aiohttp:
        with tempfile.TemporaryDirectory() as temporary:
            return try_oldest_aiohttp(Path(temporary))
    chosen = {name: path for name, path in interpreters().items() if name.startswith(options.only or "")}
    arguments = tests(whole=options.whole, paths=options.paths)
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, python in chosen.items():
            print(f"== {name}: pytest {' '.join(arguments)}", flush=True)
            own = environment(python, (options.keep or Path(temporary)) / name)
            if subprocess.call([own, "-m", "pytest", *arguments], cwd=ROOT):
                failed.append(name)
    print("\n".join(f"{name}: {'failed' if name in failed else 'passed'}" for name in chosen))
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
