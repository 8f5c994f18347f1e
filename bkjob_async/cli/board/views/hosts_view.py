"""The hosts of one target, a page at a time, those that failed first."""

from __future__ import annotations

from collections.abc import Callable

from bkjob_async import HostKey, HostPage, HostSnapshot, StepRef, UsageError
from bkjob_async.cli.board.commands import AskRetry, Command, Plain, ShowLog
from bkjob_async.cli.board.drawing.signs import Signs, bar
from bkjob_async.cli.board.drawing.spans import Line, Span, cells_of, fitted, joined
from bkjob_async.cli.board.target_row import TargetRow
from bkjob_async.cli.board.views.head import phase_parts
from bkjob_async.cli.board.views.rows import state_role, state_text
from bkjob_async.cli.board.views.views import STEPS, Selection, host_name, key_line, page, rule_line
from bkjob_async.model.text.printing import printable

PAGE_SIZE = 200
WIDEST_BAR = 80
Key = tuple[StepRef, HostKey]


class HostsView:
    """One page of hosts; moving beyond its last one opens the next page."""

    def __init__(
        self,
        row: TargetRow,
        read: Callable[[str | None, int], HostPage],
        signs: Signs,
        *,
        read_only: bool = False,
    ) -> None:
        """Show the hosts of *row*; *read* returns a page of a size behind another one."""
        self._row = row
        self._read = read
        self._signs = signs
        self._read_only = read_only
        # Behind what each page up to the present one begins.
        self._afters: list[str | None] = [None]
        self._page = HostPage(hosts=(), total=0)
        self._selection = Selection[Key]()
        self._height = 1
        self.refresh()

    def refresh(self) -> None:
        """Read the present page again."""
        try:
            self._page = self._read(self._afters[-1], PAGE_SIZE)
        except UsageError:  # the target was dropped and added again: its pages begin anew
            self._afters = [None]
            self._page = self._read(None, PAGE_SIZE)
        if not self._page.hosts and len(self._afters) > 1:  # all hosts of the page have moved to others
            self._afters.pop()
            self.refresh()

    @property
    def _keys(self) -> list[Key]:
        return [(step, host.host) for step, host in self._page.hosts]

    # Drawing --------------------------------------------------------------------------------------------------------

    def draw(self, width: int, height: int, now: float) -> list[Line]:  # noqa: ARG002 - as any view
        """Return the hosts by phase and as a list."""
        row, signs, hosts = self._row, self._signs, self._page.hosts
        trouble = [[(signs.text(state_text(row)), state_role(row))]] if row.trouble else []
        head: list[Line] = [
            ((f" {signs.text(row.title)}", "strong"), (f"  {row.ref}", "dim")),
            ((" ", ""), *joined([*phase_parts(row.counts, signs), *trouble], width - 1, gap="  ")),
            ((" ", ""), *bar(row.counts, max(0, min(WIDEST_BAR, width - 2)), signs)),
        ]
        keys = [(signs.enter, "log"), ("r", "retry"), ("PgDn", "more"), ("Esc", "back")]
        keys_line = key_line([each for each in keys if each[0] != "r" or not self._read_only], width)
        self._height = room = max(1, height - min(len(head), max(0, height - 3)) - 2)
        selected = self._selection.settle(self._keys, room)
        top = self._selection.top
        some = hosts[top : top + room]
        first = PAGE_SIZE * (len(self._afters) - 1) + top + 1
        shown = "no hosts were seen yet"
        if some:
            shown = f"hosts {first:,}-{first + len(some) - 1:,} of {self._page.total:,}"
        name = min(max((cells_of(host_name(host.host)) for _, host in some), default=0), max(12, width // 3))
        code = min(max((len(host.status.name) for _, host in some), default=0), 28)
        has_steps = len({step for step, _ in hosts}) > 1
        body = (
            self._host_line(step, host, (name, code), has_step=has_steps, is_selected=top + n == selected)
            for n, (step, host) in enumerate(some)
        )
        return page(head, body, [rule_line(shown, width, signs), keys_line], (width, height), signs)

    def _host_line(
        self, step: StepRef, host: HostSnapshot, widths: tuple[int, int], *, has_step: bool, is_selected: bool
    ) -> Line:
        """Return one host: its name, status, exit code and tag, and its step where there are several."""
        signs, phase = self._signs, host.status.phase
        spans: list[Span] = [
            (signs.selected, "mark") if is_selected else (" ", ""),
            (f"{signs.of[phase]} ", phase.value),
            (fitted(signs.text(host_name(host.host)), widths[0]), "strong" if is_selected else ""),
            ("  " + fitted(host.status.name, widths[1]), phase.value),
        ]
        if has_step:
            name = printable(self._row.name_of(step)) or str(step.step_instance_id)
            spans.append((f"  {signs.text(name)}", "dim"))
        if host.exit_code is not None:
            spans.append((f"  exit {host.exit_code}", ""))
        if host.tag:
            spans.append((f"  {signs.text(printable(host.tag))}", "dim"))
        return tuple(spans)

    # Keys -----------------------------------------------------------------------------------------------------------

    def press(self, key: str, character: str) -> Command | None:  # noqa: ARG002 - as any view
        """Move the selection and the page, or return what is asked for."""
        by = {**STEPS, "pageup": -self._height, "pagedown": self._height}.get(key)
        if by is not None:
            self._move(by)
            return None
        match key:
            case "home":
                self._afters = [None]
                self._open_page(at_end=False)
            case "end":
                self._move(len(self._keys))
            case "escape" | "q" | "backspace":
                return Plain.BACK
            case "r" if not self._read_only:
                return AskRetry(self._row.ref)
            case "enter":
                chosen = self._selection.current(self._keys)
                return None if chosen is None else ShowLog(*chosen)
            case _:
                pass
        return None

    def _move(self, by: int) -> None:
        if self._selection.move(self._keys, by):
            return
        if by > 0 and self._page.after is not None:
            self._afters.append(self._page.after)
            self._open_page(at_end=False)
        elif by < 0 and len(self._afters) > 1:
            self._afters.pop()
            self._open_page(at_end=True)

    def _open_page(self, *, at_end: bool) -> None:
        self.refresh()
        keys = self._keys
        self._selection = Selection(key=(keys[-1] if at_end else keys[0]) if keys else None)
