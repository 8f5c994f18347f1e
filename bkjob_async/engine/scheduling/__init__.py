"""The schedule of polls: when each job is polled next."""
