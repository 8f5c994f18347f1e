"""When to poll what."""
