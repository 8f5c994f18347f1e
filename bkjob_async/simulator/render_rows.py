"""Host rows as JSON fragments, made once per move and joined on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from attrs import frozen

from bkjob_async.simulator.world_codes import BLANK, FILE, HOST_WAITING
from bkjob_async.simulator.world_plans import Host
from bkjob_async.simulator.world_records import Execution, Group, Step

Fragment = Callable[[Execution, int], dict[str, Any]]
Wanted = Callable[[Execution, int], bool]
encode = msgspec.json.encode

# Above so many targets the platform reads a step's groups one by one, so that a host may move in between.
READ_AT_ONCE = 100


def fragments(execution: Execution, kind: str, make: Fragment, rows: Iterable[int]) -> Iterator[bytes]:
    """Yield the rows' JSON, each made anew only after it moved."""
    made = execution.rendered.get(kind)
    if made is None:
        made = execution.rendered[kind] = [None] * len(execution.hosts)
    for row in rows:
        fragment = made[row]
        if fragment is None:
            fragment = made[row] = encode(make(execution, row))
        yield fragment


def joined(execution: Execution, kind: str, make: Fragment, group: Group | None = None) -> msgspec.Raw:
    """Return all rows, or those of one group, as one JSON list; kept until something moves."""
    key = (kind, group)
    kept = execution.joined.get(key)
    if kept is not None and kept[0] == execution.version:
        return msgspec.Raw(kept[1])
    rows = range(len(execution.hosts)) if group is None else execution.groups[group]
    body = listed(fragments(execution, kind, make, rows))
    execution.joined[key] = (execution.version, body)
    return msgspec.Raw(body)


def listed(parts: Iterable[bytes]) -> bytes:
    """Return fragments as one JSON list."""
    return b"[" + b",".join(parts) + b"]"


@frozen(kw_only=True)
class Filter:
    """Which rows of which groups a step status shows; None asks for nothing in particular."""

    execute_count: int | None = None
    batch: int | None = None
    most: int | None = None
    status: int | None = None
    tag: str | None = None
    keyword: str | None = None
    search_ip: str | None = None

    @property
    def searches(self) -> bool:
        """Whether rows are picked by what they contain."""
        return bool(self.keyword) or bool(self.search_ip)


@frozen(kw_only=True)
class GroupRead:
    """One group as it was read: how many hosts it was said to have, and its hosts' JSON, if asked for."""

    status: int
    tag: str | None
    size: int
    rows: msgspec.Raw | None


def read_groups(
    step: Step, asked: Filter, kind: str, make: Fragment, *, now: float, pace: float
) -> list[GroupRead]:
    """Read a step's groups as the platform does: counts first, then each group's hosts, *pace* seconds apart.

    The reading ends *now*: what a slow server shows is older at its beginning than at its end.
    """
    number = step.execute_count if asked.execute_count is None else asked.execute_count
    execution = step.executions.get(number)
    if execution is None:
        return []
    batch = step.batch if asked.batch is None else asked.batch
    reader = _Reader(execution, batch, asked, kind, make)
    if len(step.hosts) <= READ_AT_ONCE or not pace:
        groups = reader.groups(None)
        return [reader.read(group, rows, rows) for group, rows in reader.with_hosts(groups)]
    begin = now - pace * (len(execution.groups) + 1)
    groups = reader.groups(begin)
    read = []
    for place, (group, rows) in enumerate(reader.with_hosts(groups), start=1):
        later = reader.groups(begin + pace * place).get(group, ())
        read.append(reader.read(group, rows, later))
    return read


class _Reader:
    """Reads the groups of one execution at any moment of the recent past."""

    def __init__(
        self, execution: Execution, batch: int | None, asked: Filter, kind: str, make: Fragment
    ) -> None:
        self._execution = execution
        self._batch = batch or None
        self._asked = asked
        self._kind = kind
        self._make = make
        self._shown: set[Group] = set()

    def groups(self, moment: float | None) -> dict[Group, Sequence[int] | dict[int, None]]:
        """Return the rows of each group, at a moment or (None) now."""
        execution = self._execution
        past = (
            {}
            if moment is None or not execution.moves or execution.moves[-1].at <= moment
            else execution.statuses_at(moment)
        )
        plain = not past and self._batch is None and not self._asked.searches
        if plain:
            return {group: rows for group, rows in execution.groups.items() if rows}
        found: dict[Group, list[int]] = {}
        for row in execution.rows_of(self._batch):
            code = past.get(row, execution.statuses[row])
            if code is not None:
                kept = found.setdefault(execution.group_for(row, code), [])
                if self._matches(row):
                    kept.append(row)
        return {group: tuple(rows) for group, rows in found.items()}

    def _matches(self, row: int) -> bool:
        asked, execution = self._asked, self._execution
        host = execution.hosts[row]
        if asked.search_ip and asked.search_ip not in f"{host.ip or ''} {host.ipv6 or ''}":
            return False
        return not asked.keyword or asked.keyword in execution.fates[row].log

    def with_hosts(
        self, groups: dict[Group, Sequence[int] | dict[int, None]]
    ) -> list[tuple[Group, Sequence[int] | dict[int, None]]]:
        """Return the groups in the platform's order, and settle which of them show hosts."""
        ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        status, tag = self._asked.status, self._asked.tag or ""
        if status is None:
            self._shown = {group for group, _ in ordered}
        else:
            # Without a match it is the first group whose hosts come.
            matching = [group for group, _ in ordered if group[0] == status and (group[1] or "") == tag]
            self._shown = set(matching or [group for group, _ in ordered[:1]])
        return ordered

    def read(
        self, group: Group, counted: Sequence[int] | dict[int, None], rows: Sequence[int] | dict[int, None]
    ) -> GroupRead:
        """Return one group with its hosts, cut to the number asked for."""
        body = None
        if group in self._shown and (rows or not self._asked.searches):
            body = self._body(group, rows)
        return GroupRead(status=group[0], tag=group[1], size=len(counted), rows=body)

    def _body(self, group: Group, rows: Sequence[int] | dict[int, None]) -> msgspec.Raw:
        most = self._asked.most
        cut = most is not None and 0 < most < len(rows)
        if not cut and rows is self._execution.groups.get(group):
            return joined(self._execution, self._kind, self._make, group)
        chosen = islice(rows, most) if cut else rows
        return msgspec.Raw(listed(self._fragments(group, chosen)))

    def _fragments(self, group: Group, rows: Iterable[int]) -> Iterator[bytes]:
        """Yield rows as they stood in *group*; one that has moved on since is made for this once."""
        execution = self._execution
        for row in rows:
            if execution.group_of(row) == group:
                yield from fragments(execution, self._kind, self._make, (row,))
            else:
                yield encode({**self._make(execution, row), "status": group[0], "tag": group[1]})


def waiting_hosts(step: Step) -> tuple[Host, ...]:
    """Return the hosts of a step that has not started; none once it has."""
    return step.hosts if step.status == BLANK and not step.executions else ()


def row_tag(execution: Execution, row: int, *, is_file: bool) -> str | None:
    """Return a row's tag; it has none before its end, and an empty one when it is about files."""
    _, tag = execution.group_of(row)
    return "" if is_file and execution.statuses[row] != HOST_WAITING else tag


def is_file(step: Step) -> bool:
    """Whether a step sends files."""
    return step.plan.kind == FILE


def has_containers(step: Step) -> bool:
    """Whether any target is a container, which only version 4 can show."""
    return any(host.container_id is not None for host in step.hosts)
