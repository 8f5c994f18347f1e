"""Small HTML tables of results, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any

from bkjob_async.model.text.printing import counted, printable, tally

# So many steps and hosts are shown, and so many letters of a text.
MOST_STEPS, MOST_HOSTS, LONGEST = 10, 20, 40


def text(value: object) -> str:
    """Return *value* as escaped text, cut to a bounded length."""
    shown = printable(str(value))
    return escape(shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table, empty text where it would have no row."""
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{text(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""


def page(
    title: str,
    counts: Mapping[Any, int],
    steps: Sequence[Any] = (),
    failed: Iterable[tuple[object, Any]] = (),
    failed_count: int = 0,
) -> str:
    """Return a title, counts of hosts by phase, the first steps, and the first hosts that did not succeed.

    *steps* are snapshots or results; *failed* are pairs of a step and a host's snapshot.
    """
    parts = [f"<p><b>{text(title)}</b><br>{escape(printable(tally(counts)))}</p>"]
    parts.append(
        table(("step", "name", "status"), ((s.ref, s.name, s.status.name) for s in steps[:MOST_STEPS]))
    )
    if len(steps) > MOST_STEPS:
        parts.append(f"<p>and {counted(len(steps) - MOST_STEPS, 'more step')}</p>")
    rows = ((step, host.host, host.status.name, host.tag) for step, host in islice(failed, MOST_HOSTS))
    parts.append(table(("step", "host", "status", "tag"), rows))
    if failed_count > MOST_HOSTS:
        parts.append(f"<p>and {counted(failed_count - MOST_HOSTS, 'more host')} that did not succeed</p>")
    return "".join(parts)
