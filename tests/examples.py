"""How many examples a property test tries, under the Hypothesis profile that is loaded."""

from hypothesis import settings

QUICK = 20


def examples(usual: int) -> int:
    """Return *usual*, or at most 20 under the profile `quick`."""
    return min(usual, QUICK) if settings.get_current_profile_name() == "quick" else usual
