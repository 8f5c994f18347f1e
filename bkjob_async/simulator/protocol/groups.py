"""Group a step's hosts by status and tag, and read the groups as the platform does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import NamedTuple

import msgspec
from attrs import define, field, frozen

from bkjob_async.simulator.protocol.rows import Fragment, encode, fragments, json_array, rows_json
from bkjob_async.simulator.world.records import Execution, Group, Row, Step

# Above so many targets the platform reads a step's groups one by one, and hosts may change in between.
MAX_HOSTS_IN_ONE_READ = 100

Rows = Collection[Row]


@frozen(kw_only=True)
class GroupQuery:
    """A request for a step's groups: which rows of which groups it lists, None is no filter; and when they are read.

    The groups are read *group_read_seconds* apart, the last one *now*: the first ones of a slow server are older.
    """

    now: float
    group_read_seconds: float
    execute_count: int | None = None
    batch: int | None = None
    most: int | None = None
    status: int | None = None
    tag: str | None = None
    keyword: str | None = None
    search_ip: str | None = None

    @property
    def searches(self) -> bool:
        """Whether rows are searched by their contents."""
        return bool(self.keyword) or bool(self.search_ip)


@frozen(kw_only=True)
class RequestedGroup:
    """One group as it was read: its number of hosts, and their JSON if it was requested."""

    status: int
    tag: str | None
    size: int
    rows: msgspec.Raw | None


class GroupSnapshot(NamedTuple):
    """The rows of each group at a past time, and those that have changed their group since."""

    groups: dict[Group, Rows]
    moved: Rows


def read_step(step: Step, query: GroupQuery, make: Fragment) -> tuple[int, list[RequestedGroup]]:
    """Read a step as the platform does: first its own status, then the counts, then each group's hosts."""
    number = step.execute_count if query.execute_count is None else query.execute_count
    execution = step.executions.get(number)
    if execution is None:
        return step.status, []
    batch = step.batch if query.batch is None else query.batch
    reader, begin = _Reader(execution, batch, query, make), read_start(execution, query)
    first = reader.at(begin)
    counted = reader.ordered(first.groups)
    seconds = (query.now - begin) / (len(counted) + 1)
    groups = [
        reader.read(group, len(rows), reader.at(begin + seconds * place) if seconds else first)
        for place, (group, rows) in enumerate(counted, start=1)
    ]
    return status_at(execution, begin), groups


def read_start(execution: Execution, query: GroupQuery) -> float:
    """Return when a read began that ends at the time of the *query*: not before the step was last shown."""
    step = execution.step
    if len(step.hosts) <= MAX_HOSTS_IN_ONE_READ or not query.group_read_seconds:
        return query.now
    seconds = query.group_read_seconds * (sum(map(bool, execution.groups.values())) + 1)
    return max(step.shown_at, query.now - seconds)


def status_at(execution: Execution, at: float) -> int:
    """Return the status of the step at a time; that of now for an earlier execution, and where this one began later."""
    step = execution.step
    if execution is not step.execution or not execution.moves or execution.moves[0].at > at:
        return step.status
    return next((code for since, code in reversed(step.log) if since <= at), step.status)


@define(eq=False)
class _Reader:
    """Reads the groups of one execution at any recent time; batch 0 is all."""

    _execution: Execution
    _batch: int | None
    _query: GroupQuery
    _make: Fragment
    _shown: set[Group] = field(factory=set, init=False)

    def at(self, at: float) -> GroupSnapshot:
        """Return the rows of each group at a time; those of the present at that of the query, also in a world that is ahead."""
        past = self._execution.statuses_at(at) if at < self._query.now else {}
        return GroupSnapshot(self._chosen(self._moved_back(past)), past)

    def _moved_back(self, past: dict[Row, int | None]) -> dict[Group, Rows]:
        """Return groups with some rows moved back to earlier groups; unchanged groups are shared."""
        groups, own = self._execution.groups, dict[Group, dict[Row, None]]()
        for row, code in past.items():
            there = row.group
            own.setdefault(there, dict.fromkeys(groups.get(there, ()))).pop(row, None)
            if code is not None:
                then = row.group_with(code)
                own.setdefault(then, dict.fromkeys(groups.get(then, ())))[row] = None
        return {group: rows for group, rows in {**groups, **own}.items() if rows}

    def _chosen(self, groups: dict[Group, Rows]) -> dict[Group, Rows]:
        """Keep the rows that the filter selects; a group without any of them remains, empty."""
        batch = self._batch
        if batch:
            kept = {g: tuple(row for row in rows if row.batch == batch) for g, rows in groups.items()}
            groups = {group: rows for group, rows in kept.items() if rows}
        if not self._query.searches:
            return groups
        return {group: tuple(filter(self._matches, rows)) for group, rows in groups.items()}

    def _matches(self, row: Row) -> bool:
        query, host = self._query, row.host
        if query.search_ip and query.search_ip not in f"{host.ip or ''} {host.ipv6 or ''}":
            return False
        return not query.keyword or query.keyword in row.outcome.log

    def ordered(self, groups: dict[Group, Rows]) -> list[tuple[Group, Rows]]:
        """Return the groups in the platform's order, and determine which of them list hosts."""
        ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        status, tag = self._query.status, self._query.tag or ""
        if status is None:
            self._shown = {group for group, _ in ordered}
        else:
            # Without a match the hosts of the first group are listed.
            matching = [group for group, _ in ordered if group[0] == status and (group[1] or "") == tag]
            self._shown = set(matching or [group for group, _ in ordered[:1]])
        return ordered

    def read(self, group: Group, size: int, at: GroupSnapshot) -> RequestedGroup:
        """Return one group with its hosts, cut to the requested number."""
        rows = at.groups.get(group, ())
        wanted = group in self._shown and (rows or not self._query.searches)
        body = self._body(group, rows, at.moved) if wanted else None
        return RequestedGroup(status=group[0], tag=group[1], size=size, rows=body)

    def _body(self, group: Group, rows: Rows, moved: Rows) -> msgspec.Raw:
        most = self._query.most
        if most is not None and 0 < most < len(rows):
            rows = tuple(islice(rows, most))
        if rows is self._execution.groups.get(group):
            return rows_json(self._execution, self._make, group)
        return msgspec.Raw(json_array(self._parts(group, rows, moved)))

    def _parts(self, group: Group, rows: Rows, moved: Rows) -> Iterable[bytes]:
        """Return rows as they were in *group*; JSON of rows that have changed since is not kept."""
        stayed = [row for row in rows if row not in moved] if moved else rows
        yield from fragments(self._make, stayed)
        for row in (row for row in rows if row in moved) if moved else ():
            yield encode({**self._make(row), "status": group[0], "tag": group[1]})
