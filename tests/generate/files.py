"""What all generated files are made with: imports, the formatter, and blocks within files."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from attrs import define, field

ROOT = Path(__file__).parent.parent.parent
BEGIN, END = "# What `python -m tests.generate` writes: begin", "# end"

# What the twin has itself, and from where.
OWN = {
    "JobClient": "bkjob_async.sync.client",
    "Reader": "bkjob_async.sync.iterators",
    "Watch": "bkjob_async.sync.watch",
}


@define
class Imports:
    """The names that a file of the twin uses, by the module that they come from."""

    own: str
    found: dict[str, set[str]] = field(factory=dict)

    def add(self, module: str, name: str) -> None:
        """Import *name* from *module*."""
        if module != self.own:
            self.found.setdefault(module, set()).add(name)

    def add_names_of(self, nodes: Iterable[ast.AST], module: ModuleType) -> None:
        """Import what annotations and defaults written in *module* name."""
        origins = origins_of(module)
        for node in nodes:
            for each in ast.walk(node):
                if isinstance(each, ast.Name) and each.id in OWN:
                    self.add(OWN[each.id], each.id)
                elif isinstance(each, ast.Name) and each.id in origins:
                    self.add(origins[each.id], each.id)

    def add_words(self, written: str, module: ModuleType) -> None:
        """Import what a type names that is written in *module*."""
        self.add_names_of([ast.parse(written)], module)

    def lines(self) -> str:
        """Return the import statements."""
        return "\n".join(
            f"from {module} import {', '.join(sorted(names))}" for module, names in self.found.items()
        )


def origins_of(module: ModuleType) -> Mapping[str, str]:
    """Return the module that each name at the top of *module* comes from."""
    found: dict[str, str] = {}
    for node in tree_of(module).body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node.module or "" for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {each.id: module.__name__ for each in targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.ClassDef):
            found[node.name] = module.__name__
    return found


def tree_of(module: ModuleType) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(inspect.getsource(module))


def formatted(text: str, path: Path) -> str:
    """Return a file as the formatter writes it."""
    text = ruff(
        text, "check", "--select", "I,F401", "--fix-only", "--quiet", "--stdin-filename", str(path), "-"
    )
    return ruff(text, "format", "--stdin-filename", str(path), "-")


def ruff(text: str, *words: str) -> str:
    """Return what ruff makes of a text."""
    command = [sys.executable, "-m", "ruff", *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def with_blocks(text: str, *blocks: Iterable[str]) -> str:
    """Return a text whose marked places hold these lines, in their order."""
    lines, left = list[str](), list(blocks)
    is_inside = False
    for line in text.splitlines():
        is_inside = is_inside and line.strip() != END
        if not is_inside:
            lines.append(line)
        if line.strip() == BEGIN:
            margin = line[: len(line) - len(line.lstrip())]
            lines += [f"{margin}{each}" if each else "" for each in left.pop(0)]
            is_inside = True
    assert not left, "a place is not marked"
    return "\n".join(lines) + "\n"
