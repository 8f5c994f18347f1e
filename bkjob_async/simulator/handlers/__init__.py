"""Handlers of the platform's requests."""
