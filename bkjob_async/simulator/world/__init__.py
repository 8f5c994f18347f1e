"""Simulated jobs, steps and hosts as a function of time."""
