"""Faults that can be injected into responses."""
