"""Whether a job or step is over: the one decision, by what was announced of it and what a response shows.

| announced | shown | details | an operation | stage |
| --- | --- | --- | --- | --- |
| open | open | | | open |
| open | final | to come, within the bound | | settling |
| open | final | settled | since | settling |
| open | final | settled | none since | over |
| open | final | to come, or an operation since, and the bound has passed | | over |
| over | the same | | since | settling |
| over | the same | | none since | over |
| over | open, another status, another execution | | | reopened |

*Details* are the host rows of a step, and the steps of a job. *An operation since*: what is shown may be from before it.
What is open, settling or reopened is polled on.
"""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """How far a job or step is."""

    OPEN = "open"
    SETTLING = "settling"
    OVER = "over"
    REOPENED = "reopened"


def stage_of(
    *,
    was_over: bool,
    is_final: bool,
    is_same: bool = True,
    has_details: bool = True,
    is_doubtful: bool = False,
    is_overdue: bool = False,
) -> Stage:
    """Return the stage of a job or step, which *was_over* as announced, and is shown *is_final* in the *is_same* status.

    *has_details*: its details have settled. *is_doubtful*: an operation was made since it was shown active. *is_overdue*: the
    bound has passed within which its details come.
    """
    if was_over:
        if not (is_final and is_same):
            return Stage.REOPENED
        return Stage.SETTLING if is_doubtful else Stage.OVER
    if not is_final:
        return Stage.OPEN
    return Stage.OVER if is_overdue or (has_details and not is_doubtful) else Stage.SETTLING
