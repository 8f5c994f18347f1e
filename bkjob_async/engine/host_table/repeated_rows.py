"""Decides which row counts where a response lists a host several times.

An example. The host 11 stands in two groups of one response, 7 and 9. There are two reasons:

    it moved        groups are read one after the other, and the host went from 7 to 9 in between
    it has batches  a rolling execution ran it twice, so it has two rows, and one is still running

    poll 1    11 has one row: 7                  trusted
    poll 2    11 has two rows: 7 and 9           not trusted: neither row counts, the table remembers two rows
    poll 3    11 has two rows: 7 and 9           two again, so these are batches: the worse row (7) counts
    poll 4    11 has one row: 9                  not trusted: one batch may only be missing from this response
    poll 5    11 has one row: 9                  trusted: 9 counts

Which of several rows is the worst:

    rows                       the host is    why
    any ended without success  104, 403 ...   it stays so, whatever its other batches do: a failure is told when it is seen
    else any unfinished        7, else 5      a batch is running, or the host waits for its next one
    else                       9              all batches succeeded

The platform creates the rows of all batches at once (GseStepEventHandler.saveGseExecuteObjectTasksForStartRollingStep),
without the number of the batch in any response: a host goes from 7 back to 5 between two batches, and rows of batches that
never start stay 5.

A response that lists fewer hosts than it counts may leave out a batch of any host. So the end of a host in it counts only
when the next response shows it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from bkjob_async.model.poll_view import GroupPollView, HostRow
from bkjob_async.model.status import Phase, host_status

# Of the rows of one host the worst counts.
_BADNESS = {Phase.SUCCESS: 0, Phase.SKIPPED: 1, Phase.IGNORED: 1, Phase.STOPPED: 3, Phase.FAILED: 4}
_UNFINISHED, _UNKNOWN = 2, 5
# Below every exit code.
_INT64 = 2**63


def choose_rows(
    places: Sequence[int],
    codes: Sequence[int],
    rows: Sequence[HostRow],
    groups: Sequence[GroupPollView],
    *,
    last_repeated: Mapping[int, int],
    last_code: Callable[[int], int | None],
    complete: bool,
) -> tuple[list[int], bool, dict[int, int]]:
    """Return the place of each row that counts and -1 for the others, whether all are trusted, and who is repeated.

    *last_repeated* maps places to the number of rows at the last poll, for hosts that had several or are not trusted;
    the new one is returned. *last_code* returns the code of the host at a place. *complete*: no row can be missing.
    """
    counts = Counter(place for place in places if place >= 0)
    new_ends = set() if complete else _new_ends(places, codes, last_repeated, last_code)
    positions: dict[int, list[int]] = {place: [] for place, count in counts.items() if count > 1}
    distrusted = new_ends | {
        place
        for place in {*positions, *last_repeated}
        if place in counts and counts[place] != last_repeated.get(place, 1)
    }
    chosen = [-1 if place in distrusted or place in positions else place for place in places]
    for n, place in enumerate(places if positions else ()):
        if place in positions:
            positions[place].append(n)
    tags = [row.tag or group.tag for group in groups for row in group.rows or ()] if positions else ()
    for place, own in positions.items():
        if place not in distrusted:
            chosen[worst_row(own, codes, rows, tags)] = place
    repeated = {place: counts[place] for place in (*positions, *new_ends)}
    repeated |= {
        place: count
        for place, count in last_repeated.items()
        if place not in counts or (not complete and counts[place] < count)
    }
    return chosen, not distrusted, repeated


def _new_ends(
    places: Sequence[int],
    codes: Sequence[int],
    last_repeated: Mapping[int, int],
    last_code: Callable[[int], int | None],
) -> set[int]:
    """Return the hosts that are shown finished for the first time."""
    return {
        place
        for place, code in zip(places, codes, strict=True)
        if place >= 0
        and place not in last_repeated
        and host_status(code).is_finished
        and last_code(place) != code
    }


def worst_row(
    positions: Sequence[int], codes: Sequence[int], rows: Sequence[HostRow], tags: Sequence[str]
) -> int:
    """Return which of the *positions* of a host's rows has the worst outcome.

    Of equal ones it is the one with the largest exit code, then the last tag: responses order batches differently.
    """

    def rank(n: int) -> tuple[tuple[int, int], int, str]:
        exit_code = rows[n].exit_code
        return badness(codes[n]), -_INT64 if exit_code is None else exit_code, tags[n]

    return max(positions, key=rank)


def badness(code: int) -> tuple[int, int]:
    """Return the rank of a code: a failure above what is unfinished, and that above success."""
    status = host_status(code)
    return _BADNESS.get(status.phase, _UNKNOWN) if status.is_finished else _UNFINISHED, code
