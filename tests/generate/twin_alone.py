"""The parts of the synchronous twin that need no client: `check`, and the report of a run."""

from __future__ import annotations

import ast
from pathlib import Path

from bkjob_async.client import checks
from bkjob_async.report import run_report
from tests.generate.files import Imports, formatted, tree_of
from tests.generate.twin import (
    FOLDER,
    HEAD,
    Source,
    class_body,
    docstring_of,
    functions_in,
    indented,
    passed,
    signature,
    used_names,
)

RUN_ALONE = "bkjob_async.sync.run_alone", "run_alone"


def checks_file() -> str:
    """Return `checks.py`."""
    imports = Imports("bkjob_async.sync.checks")
    imports.add("bkjob_async.client", "checks")
    imports.add(*RUN_ALONE)
    (source,) = (each for each in functions_in(tree_of(checks).body, checks) if each.node.name == "check")
    imports.add_names_of(used_names(source), checks)
    return (
        HEAD.format(title="Check the way to the platform", source="bkjob_async/client/checks.py")
        + imports.lines()
        + "\n\n\n"
        + signature(source, "check", None)
        + "\n"
        + indented(docstring_of(source.node))
        + f"\n    return run_alone(checks.check({passed(source, skip=0)}))\n"
    )


def report_file() -> str:
    """Return `run_report.py`."""
    imports = Imports("bkjob_async.sync.run_report")
    imports.add("bkjob_async.report", "run_report")
    imports.add(*RUN_ALONE)
    (node,) = (
        each
        for each in tree_of(run_report).body
        if isinstance(each, ast.ClassDef) and each.name == "RunReport"
    )
    doc = "\n".join(docstring_of(node)).replace("= bkjob.RunReport(", "= bkjob_async.sync.RunReport(")
    methods = [
        method(each, imports)
        for each in functions_in(class_body(run_report, "RunReport"), run_report)
        if each.node.name[0] != "_" or each.node.name in ("__init__", "__str__")
    ]
    return (
        HEAD.format(title="The report of the twin", source="bkjob_async/report/run_report.py")
        + imports.lines()
        + "\n\n\nclass RunReport:\n"
        + indented(doc.splitlines())
        + "\n\n"
        + "\n\n".join(indented(each) for each in methods)
        + "\n"
    )


def method(source: Source, imports: Imports) -> list[str]:
    """Return a method that hands over to the asynchronous report, with the imports that it needs."""
    node = source.node
    imports.add_names_of(used_names(source), source.module)
    lines = ["@property"] if source.is_decorated("property") else []
    if isinstance(node, ast.AsyncFunctionDef):  # the URL of a journal may contain a password
        imports.add("bkjob_async.wire.tracebacks", "hide_call_arguments")
        lines.append("@hide_call_arguments")
    lines.append(signature(source, node.name, "self"))
    lines += [f"    {line}" if line else "" for line in docstring_of(node)]
    return [*lines, f"    {body(source)}"]


def body(source: Source) -> str:
    """Return the line that hands a call over."""
    node = source.node
    if node.name == "__init__":
        return f"self._report = run_report.RunReport({passed(source)})"
    called = f"self._report.{node.name}"
    if not source.is_decorated("property"):
        called += f"({passed(source)})"
    if isinstance(node, ast.AsyncFunctionDef):
        called = f"run_alone({called})"
    return called if source.returned == "None" else f"return {called}"


def files() -> dict[Path, str]:
    """Return the text of each file that is generated."""
    made = {"checks.py": checks_file(), "run_report.py": report_file()}
    return {FOLDER / name: formatted(text, FOLDER / name) for name, text in made.items()}
