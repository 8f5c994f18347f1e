"""How closely a watch follows the hosts of its targets."""

from enum import IntEnum


class DetailLevel(IntEnum):
    """What a watch must see of hosts; the finer of two grades wins where targets are shared.

    Whatever the grade, steps and jobs are seen to end at once, and the result has the end of every host.
    """

    END_ONLY = 1
    """The end only: hosts are read when their step is over."""
    COALESCED = 2
    """Every host's end, a few looks late at most: small moves of large steps are collected before they are read."""
    EVERY_CHANGE = 3
    """Whatever moved between two looks, at once."""
