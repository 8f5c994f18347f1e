"""Mutants that change nothing that anybody could observe, each with the reason."""

EQUIVALENT: dict[str, str] = {}
