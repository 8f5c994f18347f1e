"""One watch as the poller sees it: its targets, and when all of them are over."""
