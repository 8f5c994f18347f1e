"""Mutants that change nothing that anybody could observe, each with the reason."""

EQUIVALENT: dict[str, str] = {
    "small_codes: 0 -> (-1)": "all codes are equal there",
    "PollRunner._first_due: 0.0 -> (-1.0)": "no clock of an event loop is negative",
    "FairQueue.push: len(self._flows) > 2 * len(self._heap) + 16 -> (len(self._flows) >= 2 * len(self._heap) + 16)": (
        "flows without items that fell behind are removed; those that come back are made the same"
    ),
    "GroupPoller.apply_group: 0 -> (-1)": "the list has one item there",
}
