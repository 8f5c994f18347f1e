"""Poll every job once, however many watches follow it: workers, requests, errors, the time of the next poll."""
