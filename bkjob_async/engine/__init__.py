"""Decisions about watching: pure functions and state, `now` is an argument."""
