"""Mutants that change nothing that anybody could observe, each with the reason."""

EQUIVALENT: dict[str, str] = {
    "small_codes: 0 -> (-1)": "all codes are equal there",
    "GroupPoller.apply_group: 0 -> (-1)": "the list has one item there",
}
