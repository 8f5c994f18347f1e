"""The synchronous twin, made from the asynchronous client."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from attrs import frozen

from bkjob_async.client import factory
from bkjob_async.sync import methods
from bkjob_async.watch import watch
from tests.generate.files import ROOT, Imports, formatted, tree_of

FOLDER = ROOT / "bkjob_async" / "sync"
Function = ast.FunctionDef | ast.AsyncFunctionDef

# An aiohttp session belongs to an event loop that the twin's client does not run in.
NOT_OF_CONNECT = frozenset({"session"})
# What a text says otherwise in the twin, beside what `said` of `sync/methods.py` does.
WORDS = (
    # Time goes on between two statements.
    # Its own thread may be anywhere in a poll.
    (r"it is over; seen 0.0 s ago, next poll in 10.0 s", "it is ...; seen ... s ago, ..."),
    (r"<Watch closed: 0 of 1 .*>", "<Watch closed: ...>"),
    (r"an asynchronous stream", "a stream"),
)


@frozen
class Source:
    """A function of the asynchronous package, and the *module* that its names come from."""

    node: Function
    module: ModuleType

    @property
    def returned(self) -> str:
        """Its type of result, as written."""
        return "" if self.node.returns is None else ast.unparse(self.node.returns)

    @property
    def is_setter(self) -> bool:
        """Whether it sets a property."""
        return any(ast.unparse(each).endswith(".setter") for each in self.node.decorator_list)

    def is_decorated(self, *names: str) -> bool:
        """Return True if it has one of these decorators."""
        return any(ast.unparse(each) in names for each in self.node.decorator_list)


def functions_in(body: Iterable[ast.stmt], module: ModuleType) -> list[Source]:
    """Return the functions of a module or class."""
    return [Source(node, module) for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def class_body(module: ModuleType, name: str) -> list[ast.stmt]:
    """Return the statements of a class."""
    return next(
        node.body for node in tree_of(module).body if isinstance(node, ast.ClassDef) and node.name == name
    )


def methods_of_watch() -> Iterator[Source]:
    """Yield the public methods and properties of a watch."""
    yield from (each for each in functions_in(class_body(watch, "Watch"), watch) if each.node.name[0] != "_")


# Writing -------------------------------------------------------------------------------------------------------------


def said(text: str) -> str:
    """Return a docstring as the twin says it."""
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text)
    return methods.said(text) or ""


def docstring_of(node: Function | ast.Module | ast.ClassDef) -> list[str]:
    """Return the lines of a docstring, as the twin says it."""
    text = ast.get_docstring(node)
    return [] if text is None else [*f'"""{said(text)}'.splitlines()[:-1], *closed(said(text))]


def closed(text: str) -> list[str]:
    """Return the last lines of a docstring: of one line, or of several."""
    lines = text.splitlines()
    return [f'"""{text}"""'] if len(lines) == 1 else [lines[-1], '"""']


def signature(source: Source, name: str, first: str | None, *, without: frozenset[str] = frozenset()) -> str:
    """Return the `def` line: the parameters of the source behind *first*, which replaces its own first one."""
    arguments = ast.arguments(
        posonlyargs=[],
        args=source.node.args.args[0 if first is None else 1 :],
        vararg=source.node.args.vararg,
        kwonlyargs=[each for each in source.node.args.kwonlyargs if each.arg not in without],
        kw_defaults=[
            default
            for each, default in zip(source.node.args.kwonlyargs, source.node.args.kw_defaults, strict=True)
            if each.arg not in without
        ],
        kwarg=source.node.args.kwarg,
        defaults=source.node.args.defaults,
    )
    inner = ast.unparse(arguments)
    behind = ", ".join(part for part in (first, inner) if part)
    return f"def {name}({behind}) -> {source.returned or 'None'}:"


def passed(source: Source, *, skip: int = 1, without: frozenset[str] = frozenset()) -> str:
    """Return the arguments of a call that hands over all parameters."""
    arguments = source.node.args
    words = [each.arg for each in arguments.args[skip:]]
    words += [] if arguments.vararg is None else [f"*{arguments.vararg.arg}"]
    words += [f"{each.arg}={each.arg}" for each in arguments.kwonlyargs if each.arg not in without]
    return ", ".join(words)


def used_names(source: Source) -> list[ast.AST]:
    """Return what a signature is made of."""
    arguments = source.node.args
    every = [*arguments.args, *arguments.kwonlyargs, *([arguments.vararg] if arguments.vararg else [])]
    annotations = [each.annotation for each in every if each.annotation is not None]
    defaults = [each for each in (*arguments.defaults, *arguments.kw_defaults) if each is not None]
    return [*annotations, *defaults, *([source.node.returns] if source.node.returns else [])]


def method(source: Source, imports: Imports) -> list[str]:
    """Return a method that hands over to the one of the watch, with the imports that it needs."""
    node = source.node
    imports.add_names_of(used_names(source), source.module)
    kept = [ast.unparse(each) for each in node.decorator_list]
    lines = [f"@{name}" for name in kept if name == "property" or name.endswith(".setter")]
    name = "close" if node.name == "aclose" else node.name
    lines.append(signature(source, name, "self"))
    lines += [f"    {line}" if line else "" for line in docstring_of(node)]
    return [*lines, f"    {body(source)}"]


def body(source: Source) -> str:
    """Return the line that hands a call over."""
    node, returned = source.node, source.returned
    member = f"self._watch.{node.name}"
    if source.is_decorated("property"):
        return f"return self._thread.call(lambda: {member})"
    if source.is_setter:
        return f'self._thread.call(setattr, self._watch, "{node.name}", {node.args.args[1].arg})'
    if node.name == "aclose":
        return "self._thread.close_watch(self._watch)"
    handed = f"self._thread.call({', '.join(part for part in (member, passed(source)) if part)})"
    if isinstance(node, ast.AsyncFunctionDef):
        handed = f"self._thread.run({member}({passed(source)}))"
    if returned.startswith("Reader["):
        handed = f"Reader(self._thread, {handed})"
    return handed if returned == "None" else f"return {handed}"


HEAD = '''"""{title}; written by `python -m tests.generate`: change {source}."""

from __future__ import annotations

'''


def watch_file() -> str:
    """Return `watch.py`."""
    imports = Imports("bkjob_async.sync.watch")
    for module, name in (
        ("types", "TracebackType"),
        ("typing", "Self"),
        ("bkjob_async.sync.iterators", "Reader"),
        ("bkjob_async.model.base_error", "BkJobError"),
        ("bkjob_async.model.events", "Event"),
        ("bkjob_async.model.refs", "Scope"),
        ("bkjob_async.sync.loop_thread", "LoopThread"),
        ("bkjob_async.watch", "watch"),
    ):
        imports.add(module, name)
    methods = [method(each, imports) for each in methods_of_watch()]
    (node,) = (
        each for each in tree_of(watch).body if isinstance(each, ast.ClassDef) and each.name == "Watch"
    )
    return (
        HEAD.format(title="The watch of the twin", source="bkjob_async/watch/watch.py")
        + imports.lines()
        + "\n\n\nclass Watch:\n"
        + indented(docstring_of(node))
        + WATCH_CLASS
        + "\n\n".join(indented(each) for each in methods)
        + "\n"
    )


WATCH_CLASS = '''

    def __init__(self, thread: LoopThread, watch: watch.Watch) -> None:
        """Hand over to *watch*, in the loop of *thread*; `client.watch` does so."""
        self._thread = thread
        self._watch = watch
        watch._name_opening("with client.watch(...) as watch")

    def __repr__(self) -> str:
        return repr(self._watch)

    def _repr_html_(self) -> str:
        return self._thread.call(self._watch._repr_html_)

    def __enter__(self) -> Self:
        try:
            self._thread.open_watch(self._watch)
        except BkJobError:
            raise
        except BaseException:  # interrupted: it may be open all the same, and nobody else would close it
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Reader[Event]:
        return Reader(self._thread, self._thread.call(self._watch.__aiter__))

    @property
    def scope(self) -> Scope | None:
        """The scope of jobs that are named by a bare id, None for none."""
        return self._watch.scope

'''


def factory_file() -> str:
    """Return `factory.py`."""
    imports = Imports("bkjob_async.sync.factory")
    imports.add("bkjob_async.client", "factory")
    (source,) = (each for each in functions_in(tree_of(factory).body, factory) if each.node.name == "connect")
    names = [each for each in used_names(source) if "aiohttp" not in ast.unparse(each)]
    imports.add_names_of(names, factory)
    arguments = passed(source, skip=0, without=NOT_OF_CONNECT)
    text = "\n".join(docstring_of(source.node))
    for old, new in CONNECT_WORDS:
        assert old in text, old
        text = text.replace(old, new)
    return (
        HEAD.format(title="Create a client of the twin", source="bkjob_async/client/factory.py")
        + imports.lines()
        + "\n\n\n"
        + signature(source, "connect", None, without=NOT_OF_CONNECT)
        + "\n"
        + indented(text.splitlines())
        + f"\n    return JobClient(factory.connect({arguments}))\n"
    )


CONNECT_WORDS = (
    (
        "Return a client of the platform at *url*; open it with `with`.",
        "Return a client of the platform at *url*; open it with `with`, or use it and `close` it.",
    ),
    (">>> bkjob.connect(", ">>> bkjob_async.sync.connect("),
    ("<JobClient new:", "<synchronous JobClient new:"),
    (
        "An aiohttp *session* that is passed is never closed; *transport* replaces HTTP\naltogether.",
        "*transport* replaces HTTP altogether.",
    ),
    (
        "Raises `UsageError` for arguments",
        "They are called in the client's own thread.\nRaises `UsageError` for arguments",
    ),
)


def indented(lines: Iterable[str]) -> str:
    """Return the lines of a class, indented."""
    return "\n".join(f"    {line}" if line else "" for line in lines)


def files() -> dict[Path, str]:
    """Return the text of each file of the twin that is generated."""
    made = {"factory.py": factory_file(), "watch.py": watch_file()}
    return {FOLDER / name: formatted(text, FOLDER / name) for name, text in made.items()}
