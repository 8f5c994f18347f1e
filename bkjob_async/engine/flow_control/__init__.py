"""Limits of requests: rates, quotas, concurrency, retries."""
