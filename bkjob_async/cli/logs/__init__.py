"""Logs of hosts, as lines."""
