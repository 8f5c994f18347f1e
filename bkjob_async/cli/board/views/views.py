"""The protocol of a view, the parts that views share, and the view of a text: the help and explanations."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import zip_longest
from typing import Generic, Protocol, TypeVar

from attrs import define

from bkjob_async import HostKey
from bkjob_async.cli.board.commands import Command, Plain
from bkjob_async.cli.board.drawing.signs import WORDS, Signs
from bkjob_async.cli.board.drawing.spans import Line, Span, cells_of, fitted_line
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable

K = TypeVar("K", bound=Hashable)

# Keys that move a selection by a line.
STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}
KEY, DIM, STRONG = "key", "dim", "strong"


class View(Protocol):
    """One view of the board."""

    def draw(self, width: int, height: int, now: float) -> list[Line]:
        """Return *height* lines of at most *width* cells."""
        ...

    def press(self, key: str, character: str) -> Command | None:
        """Take a key, by its name and by the character that it types; return what it asks for."""
        ...


def page(
    top: Sequence[Line], body: Iterable[Line], bottom: Sequence[Line], size: tuple[int, int], signs: Signs
) -> list[Line]:
    """Return lines that fill a *size*: those at the *top*, the *body*, and those at the *bottom*, which are kept longest."""
    width, height = size
    bottom = bottom[-height:] if height > 0 else []
    top = top[: max(0, height - len(bottom) - 1)]
    room = height - len(top) - len(bottom)
    middle = [line for line, _ in zip(body, range(room), strict=False)]
    middle += [()] * (room - len(middle))
    lines = [fitted_line(line, width) for line in (*top, *middle, *bottom)]
    if signs.is_ascii:
        lines = [tuple((signs.text(text), role) for text, role in line) for line in lines]
    return lines


def key_line(keys: Iterable[tuple[str, str]], width: int) -> Line:
    """Return keys with what they do; those that do not fit are left out from the right."""
    spans, used = list[Span](), 0
    for key, meaning in keys:
        size = len(key) + len(meaning) + (3 if spans else 1)
        if used + size > width:
            break
        spans += [("  " if spans else " ", "keys"), (key, KEY), (f" {meaning}", "keys")]
        used += size + (1 if not used else 0)
    return (*spans, (" " * max(0, width - sum(len(text) for text, _ in spans)), "keys"))


def rule_line(text: str, width: int, signs: Signs) -> Line:
    """Return a rule across the screen that says *text*."""
    return ((f"{signs.rule} {text} ", DIM), (signs.rule * max(0, width - cells_of(text) - 3), DIM))


def host_name(host: HostKey) -> str:
    """Return a host's name, without the cloud area that nearly every host is in."""
    return printable(host.label).removeprefix("0:")


@define(eq=False)
class Selection(Generic[K]):
    """A selected key of a list, and the first line of it that is shown; it stays on its key wherever that goes.

    Until the user moves, no key is selected: the list shows its top, and a command is about its first line.
    """

    key: K | None = None
    top: int = 0
    # Where the selected key was when it was last shown: if it has left the list, its neighbour is selected.
    index: int = 0

    def settle(self, keys: Sequence[K], height: int) -> int | None:
        """Find the selected key among *keys* and scroll so that it is visible; return its index, None without keys."""
        found: int | None = None
        if self.key is not None and keys:
            try:
                found = keys.index(self.key)
            except ValueError:
                found = min(self.index, len(keys) - 1)
                self.key = keys[found]
            self.index = found
            if found < self.top:
                self.top = found
            elif found >= self.top + height:
                self.top = found - height + 1
        self.top = max(0, min(self.top, len(keys) - height))
        return found if found is not None or not keys else self.top

    def move(self, keys: Sequence[K], by: int) -> bool:
        """Select the key so many lines further; return False where the list ends there already."""
        if not keys:
            return False
        if self.key is None or self.key not in keys:
            goal = max(0, min(len(keys) - 1, self.top + by))
            self.key, self.index = keys[goal], goal
            return True
        at = keys.index(self.key)
        goal = max(0, min(len(keys) - 1, at + by))
        self.key, self.index = keys[goal], goal
        return goal != at

    def current(self, keys: Sequence[K]) -> K | None:
        """Return the selected key, the first one that is shown where none is."""
        if not keys:
            return None
        return self.key if self.key in keys else keys[min(self.top, len(keys) - 1)]


class TextView:
    """Lines of text under a title; *read* returns them anew for each frame."""

    def __init__(self, title: str, read: Callable[[], Sequence[Line]], signs: Signs) -> None:
        self._title = title
        self._signs = signs
        self._read = read

    def draw(self, width: int, height: int, now: float) -> list[Line]:  # noqa: ARG002 - as any view
        """Return the text."""
        keys = key_line([("Esc", "back")], width)
        return page([((f" {self._title}", STRONG),), ()], self._read(), [keys], (width, height), self._signs)

    def press(self, key: str, character: str) -> Command | None:  # noqa: ARG002 - as any view
        """Close at any key that means so."""
        return Plain.BACK if key in {"escape", "q", "enter", "e", "question_mark"} else None


HELP = (
    ("Enter", "the hosts of a target, then the log of a host"),
    ("r", "retry the failed hosts of a target, after a question"),
    ("f", "only what failed or waits for a person"),
    ("/", "find targets by a part of their name or id; Esc shows all again"),
    ("e", "why a target is polled or not, and when next"),
    ("p", "stop redrawing; polling goes on"),
    ("Esc, q", "back to the view before; among the targets q leaves"),
    ("Ctrl-C", "leave; the jobs go on"),
)


def help_lines(signs: Signs, *, read_only: bool) -> list[Line]:
    """Return what the keys do and what the signs mean."""
    keys: list[Line] = [
        ((f"  {key:<12}", "selected"), (meaning, ""))
        for key, meaning in HELP
        if not (read_only and key == "r")
    ]
    meanings: list[Line] = []
    for first, second in zip_longest([*Phase][::2], [*Phase][1::2]):
        line: list[Span] = []
        for phase in filter(None, (first, second)):
            line.append((f"  {signs.of[phase]}  {signs.bar[phase] * 3}  ", phase.value))
            line.append((f"{WORDS[phase]:<22}", ""))
        meanings.append(tuple(line))
    return [
        *keys,
        (),
        *meanings,
        (),
        (("  ~ is expected, from how long earlier runs of the same name took.", DIM),),
    ]
