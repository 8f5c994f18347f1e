"""One look at a large step by several questions: what is still to be read, and what need not be."""

from __future__ import annotations

from collections.abc import Container, Sequence

from attrs import define

from bkjob_async.engine.group_polling.group_counts import RUNNING, WAITING, Group, Told
from bkjob_async.engine.host_table.encoding import NOT_SEEN, small_code

WAITS_NO_MORE = bytes.maketrans(bytes((small_code(WAITING),)), bytes((NOT_SEEN,)))


def reading_order(told: Told, moved: Container[int]) -> list[Group]:
    """Return the groups whose status is in *moved*, as they are to be read; the last of them, the largest, is not.

    The others go from the smallest to the largest, but for one that may turn out to need no reading
    (`Round.leave_out_waiting`): it comes behind them.
    """
    groups = sorted((group for group in told if group[0] in moved), key=told.__getitem__)
    partner = next((group for group in groups[-2::-1] if are_ends(group, groups[-1])), None)
    if partner is not None:
        groups.remove(partner)
        groups.insert(len(groups) - 1, partner)
    return groups


def are_ends(one: Group, other: Group) -> bool:
    """Whether the hosts of one group wait and those of the other are over."""
    return (one[0] == WAITING) != (other[0] == WAITING) and RUNNING not in (one[0], other[0])


@define
class Round:
    """One look at a step by several questions.

    *told* are the groups' sizes that it began with, *wanted* the groups still to be read, *rest* the one that is not.
    *left* holds a byte for each place: where a host stands that may have moved and was not listed yet, 0 for any other;
    they are as many as *size*.
    """

    told: Told
    codes: frozenset[int]
    wanted: list[Group]
    rest: Group
    left: bytearray
    size: int

    def leave_out_waiting(self) -> None:
        """Ask no further where only waiting hosts and those of one final group are not listed, and all others still wait.

        Hosts that wait waited before, so as many as are counted are those that no list had.
        """
        if len(self.wanted) != 1:
            return
        one, other = self.wanted[0], self.rest
        if not are_ends(one, other):
            return
        waiting, final = (one, other) if one[0] == WAITING else (other, one)
        if self.left.count(small_code(WAITING)) == self.told[waiting]:
            self.left = self.left.translate(WAITS_NO_MORE)
            self.size -= self.told[waiting]
            self.wanted, self.rest = [], final

    def strike(self, group: Group, places: Sequence[int]) -> None:
        """Take note that a *group* was listed, its hosts standing at these *places*."""
        self.wanted.remove(group)
        self.size -= len(places)
        left = self.left
        for place in places:
            left[place] = NOT_SEEN
