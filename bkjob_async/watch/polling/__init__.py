"""Poll every job once, however many watches follow it: turns, requests, errors, the time of the next poll."""
