"""Limits on requests: when each may go out."""
