"""How much may go out: rates, quotas, concurrency, retries."""
