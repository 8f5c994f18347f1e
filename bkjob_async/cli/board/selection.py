"""Which rows are shown, and which of them is selected; the selection stays on its target wherever that goes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from attrs import define


@define(eq=False)
class Selection:
    """A selected key of a list, and the first line of it that is shown.

    Until the user moves, no key is selected: the list shows its top, and a command is about its first line.
    """

    key: Hashable | None = None
    top: int = 0
    # Where the selected key was when it was last shown: if it has left the list, its neighbour is selected.
    index: int = 0

    def settle(self, keys: Sequence[Hashable], height: int) -> int | None:
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

    def move(self, keys: Sequence[Hashable], by: int) -> bool:
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

    def current(self, keys: Sequence[Hashable]) -> Hashable | None:
        """Return the selected key, the first one that is shown where none is."""
        if not keys:
            return None
        return self.key if self.key in keys else keys[min(self.top, len(keys) - 1)]
