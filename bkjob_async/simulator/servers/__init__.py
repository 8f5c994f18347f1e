"""Servers of the simulated platform: in process, over HTTP, from a thread."""
