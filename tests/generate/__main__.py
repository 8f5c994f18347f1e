"""Write all generated files: `python -m tests.generate`; a test compares them with what this writes."""

from __future__ import annotations

from subprocess import run
from sys import executable

from tests.generate import operations
from tests.generate.files import ROOT


def main() -> None:
    """Write the operations, and then the twin, which is made of the result."""
    for path, text in operations.files().items():
        path.write_text(text, encoding="utf-8")
    # In a process of its own, which imports the client as it is now.
    write = (
        "from tests.generate import twin\n"
        "for path, text in twin.files().items(): path.write_text(text, encoding='utf-8')"
    )
    run([executable, "-c", write], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
