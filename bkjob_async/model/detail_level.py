"""The level of detail at which a watch follows the hosts of its targets."""

from enum import IntEnum


class DetailLevel(IntEnum):
    """Which changes of hosts a watch reports; where watches share a target, the higher level is used.

    At every level, the ends of steps and jobs are seen at once, and the result has the end of every host.
    """

    END_ONLY = 1
    """The end only: hosts are reported when their step is over."""
    COALESCED = 2
    """Every host's end, a few polls late at most: small changes of large steps are collected before they are read."""
    EVERY_CHANGE = 3
    """Every change between two polls, at once."""
