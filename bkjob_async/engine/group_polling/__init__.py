"""Polling a large step by the counts of its host groups instead of by all its hosts."""
