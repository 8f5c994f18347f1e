"""What the benchmarks compare with: a server of prepared responses, other clients, other ways to do the same work."""
