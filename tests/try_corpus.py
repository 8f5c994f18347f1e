"""Decode every body of a folder, and print a table: file, outcome.

    python -m tests.try_corpus FOLDER

The folder holds `<dialect>/<operation>/<n>.json`, and perhaps an `index.json` that says for each file whether it is a
whole answer (`envelope`), the `data` alone, or a callback, and, in a note, its HTTP status.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bkjob_async.dialects.decode import decode, decode_callback
from bkjob_async.errors import BkJobError, CallFailed

# Folders of answers that belong to no single dialect or operation.
ERRORS = "get_job_instance_status"
STATUS = re.compile(r"HTTP(?: status)?[ =:]*(\d{3})")


def files(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every body with what the index says of it."""
    index = folder / "index.json"
    entries = {entry["file"]: entry for entry in json.loads(index.read_text())} if index.exists() else {}
    for path in sorted(folder.rglob("*.json")):
        if path != index:
            yield path, entries.get(path.relative_to(folder).as_posix(), {})


def outcome(path: Path, entry: Mapping[str, Any]) -> str:
    """Return what became of one body: the class of its model, or the error in one line."""
    dialect, operation = path.parent.parent.name.replace("_", "-"), path.parent.name
    found = STATUS.search(" ".join(entry.get("notes", ())))
    if dialect == "gateway-errors":
        dialect, operation = "gateway-v3", ERRORS
    try:
        if entry.get("level") == "callback" or operation == "callback_protocol":
            return describe(decode_callback(path.read_bytes()))
        answer = decode(
            path.read_bytes(),
            operation=ERRORS if operation in ("error", "response_protocol") else operation,
            dialect=dialect,
            http_status=int(found[1]) if found else 200,
            envelope=entry.get("level") != "data",
        )
    except CallFailed as error:
        return f"{type(error).__name__}: {error.code or ''} {error.details.message}".replace(":  ", ": ")
    except BkJobError as error:
        return f"{type(error).__name__}: {error}"
    return describe(answer)


def describe(answer: object) -> str:
    """Return the class of a model, of all its members where it is several."""
    if isinstance(answer, tuple):
        return f"{len(answer)} x {describe(answer[0]) if answer else 'nothing'}"
    return type(answer).__name__


def main(folder: Path) -> int:
    """Print the table and a summary; return 1 when anything was neither a model nor a typed error."""
    outcomes: Counter[str] = Counter()
    broken = 0
    for path, entry in files(folder):
        try:
            said = outcome(path, entry)
        except Exception as error:  # noqa: BLE001 - anything else is what this script looks for
            said, broken = f"BROKEN: {type(error).__name__}: {error}", broken + 1
        outcomes[said.split(":")[0]] += 1
        print(f"{path.relative_to(folder).as_posix():70} {said[:150]}")
    print()
    for name, count in outcomes.most_common():
        print(f"{count:5} {name}")
    return 1 if broken or not outcomes else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.try_corpus FOLDER")
    sys.exit(main(Path(sys.argv[1])))
