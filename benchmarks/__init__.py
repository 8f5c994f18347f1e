"""Benchmarks: plain functions, one table each; every cost is a ratio to another way of doing the same work."""
