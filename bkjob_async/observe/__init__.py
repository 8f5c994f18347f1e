"""Observers of the polling itself."""
