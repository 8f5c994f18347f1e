"""Columns of hosts, packed in few bytes, and what is done with whole columns."""
