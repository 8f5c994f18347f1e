"""Every small change that can be made to a source file, one at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from attrs import field, frozen

OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OTHER: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
# Text for people is not worth a test per mutant.
SHOWN = frozenset({"__repr__", "__str__", "explain"})


@frozen
class Mutant:
    """One change of one file: the text from *begin* to *end* (bytes) is replaced by *after*, within *unit*."""

    path: Path
    unit: str
    begin: int
    end: int
    before: str
    after: str
    # The file as it was when the mutants were found: it may be edited while they are tried.
    original: bytes = field(repr=False, eq=False)

    @property
    def name(self) -> str:
        """The name of the change, which does not depend on the file's path."""
        return f"{self.unit}: {' '.join(self.before.split())} -> {self.after}"

    def place(self, root: Path) -> str:
        """Return the name of the change and where it is, which no other mutant has."""
        return f"{self.path.relative_to(root).as_posix()}:{self.begin} {self.name}"

    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line of the file that change."""
        return self.original.count(b"\n", 0, self.begin) + 1, self.original.count(b"\n", 0, self.end) + 1

    def source(self) -> str:
        """Return the file's text with the change."""
        return (self.original[: self.begin] + self.after.encode() + self.original[self.end :]).decode()

    def diff(self, root: Path) -> str:
        """Return the change as a unified diff."""
        before = self.original.decode().splitlines(keepends=True)
        after = self.source().splitlines(keepends=True)
        name = str(self.path.relative_to(root))
        return "".join(unified_diff(before, after, name, name, n=2))


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of a file."""
    return list(Finder(path).mutants())


class Finder:
    """Finds the mutants in the functions of a file. Constants outside of functions are data and are not changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_bytes()
        self.tree = ast.parse(self.text)
        self.lines = [0]
        for line in self.text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def mutants(self) -> Iterator[Mutant]:
        """Yield the mutants of all functions, in the order of the file."""
        yield from self._within(self.tree, "")

    def _within(self, node: ast.AST, unit: str) -> Iterator[Mutant]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from self._within(child, f"{unit}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.name not in SHOWN:
                for statement in child.body:
                    yield from self._of(statement, f"{unit}{child.name}")

    def _of(self, node: ast.AST, unit: str) -> Iterator[Mutant]:
        """Yield the mutants of a node and of all below it."""
        if isinstance(node, ast.Assert | ast.JoinedStr | ast.Raise) or is_docstring(node):
            return
        for after in changes(node):
            yield self._mutant(node, unit, after)
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield self._mutant(node.test, unit, f"not ({ast.unparse(node.test)})")
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self._of(child, unit)

    def _mutant(self, node: ast.AST, unit: str, after: str) -> Mutant:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin = self.lines[node.lineno - 1] + node.col_offset
        end = self.lines[node.end_lineno - 1] + node.end_col_offset
        whole = f"({after})" if isinstance(node, ast.expr) else after
        return Mutant(self.path, unit, begin, end, self.text[begin:end].decode(), whole, self.text)


def changes(node: ast.AST) -> Iterator[str]:
    """Yield the replacements of a node."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in OPPOSITE:
            yield ast.unparse(ast.Compare(node.left, [OPPOSITE[type(op)]()], node.comparators))
        case ast.BoolOp(op=ast.And()):
            yield ast.unparse(ast.BoolOp(ast.Or(), node.values))
        case ast.BoolOp(op=ast.Or()):
            yield ast.unparse(ast.BoolOp(ast.And(), node.values))
        case ast.UnaryOp(op=ast.Not()):
            yield ast.unparse(node.operand)
        case ast.BinOp(op=op) if type(op) in OTHER:
            yield ast.unparse(ast.BinOp(node.left, OTHER[type(op)](), node.right))
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield repr(value + 1)
            yield repr(value - 1)
        case (
            ast.Expr(value=ast.Call() | ast.Await())
            | ast.AugAssign()
            | ast.Continue()
            | ast.Return(value=None)
        ):
            yield "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "pass"
        case _:
            pass


def is_docstring(node: ast.AST) -> bool:
    """Return True for a statement that is only a string."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
