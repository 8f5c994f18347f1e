"""Stories that are read anew, because a watch joined them that must not be told what others remember."""

from __future__ import annotations

from bkjob_async.watch.subscribers import PollTarget


class Rereads:
    """The rounds of questions about stories that somebody joined; a round counts for those who came before it began.

    A round is answered whole when no question of it is left; one that fails does not count.
    """

    __slots__ = ("_answered", "_begun")

    def __init__(self) -> None:
        self._begun: dict[PollTarget, int] = {}
        self._answered: dict[PollTarget, int] = {}

    def __bool__(self) -> bool:
        return bool(self._begun)

    def __contains__(self, story: PollTarget) -> bool:
        return story in self._begun

    def want(self, story: PollTarget) -> int:
        """Return the number of the next round about *story*: the first that can tell how it stands by now."""
        return self._begun.setdefault(story, 0) + 1

    def begin(self, story: PollTarget) -> bool:
        """Take note that a round begins; tell whether somebody waits for it."""
        number = self._begun.get(story)
        if number is None:
            return False
        self._begun[story] = number + 1
        return True

    def answered(self, story: PollTarget) -> None:
        """Take note that the present round is answered whole."""
        number = self._begun.get(story)
        if number:
            self._answered[story] = number

    def number(self, story: PollTarget) -> int:
        """Return the number of the last round that was answered whole, 0 for none."""
        return self._answered.get(story, 0)

    def forget(self, story: PollTarget) -> None:
        """Take note that nobody waits for *story* any more."""
        self._begun.pop(story, None)
        self._answered.pop(story, None)
