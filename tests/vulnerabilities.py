"""Look through the lowest versions that the extras allow for known vulnerabilities: `python -m tests.vulnerabilities`.

It needs pip-audit, which is fetched into an environment of its own, and the database that pip-audit asks.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REQUIREMENT = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?(?:>=|==)([\w.]+)")
OURS = "bkjob-async"
# What developers alone install is the newest anyway.
NOT_SHIPPED = {"benchmarks", "dev", "sdk"}


def floors() -> list[str]:
    """Return the lowest version of each requirement that users may install, as `NAME==VERSION`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    shipped = [line for name, lines in extras.items() if name not in NOT_SHIPPED for line in lines]
    found = [REQUIREMENT.match(line) for line in (*project["dependencies"], *shipped)]
    return sorted({f"{each[1]}=={each[2]}" for each in found if each and each[1] != OURS})


def main() -> int:
    """Ask for the vulnerabilities of all floors; return 1 if there are any, or where they must and cannot be known."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "pip-audit"]
        if subprocess.run(install, check=False).returncode:
            return report([])
        listed = Path(folder) / "floors.txt"
        listed.write_text("\n".join(floors()), encoding="utf-8")
        command = [str(python), "-m", "pip_audit", "--requirement", str(listed), "--no-deps", "--disable-pip"]
        audit = subprocess.run(
            [*command, "--timeout", "30", "--progress-spinner", "off", "--format", "json"],
            stdout=subprocess.PIPE,
            check=False,
        )
    return report(json.loads(audit.stdout or "{}").get("dependencies", []))


def report(dependencies: Sequence[Mapping[str, Any]]) -> int:
    """Print what pip-audit says of each dependency; return the exit code."""
    unknown = [each["name"] for each in dependencies if "skip_reason" in each]
    known = [each for each in dependencies if "skip_reason" not in each]
    vulnerable = [each for each in known if each["vulns"]]
    for each in vulnerable:
        print(f"{each['name']} {each['version']}: {', '.join(found['id'] for found in each['vulns'])}")
    if not known:
        print("NOT CHECKED: pip-audit or its database cannot be reached, so no vulnerability is known")
        return int(bool(os.environ.get("BKJOB_REQUIRE_SERVICES")))
    print(f"{len(known)} checked, {len(vulnerable)} vulnerable")
    if unknown:
        print(f"not in the database: {', '.join(unknown)}")
    return int(bool(vulnerable))


if __name__ == "__main__":
    sys.exit(main())
