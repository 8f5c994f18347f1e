"""The programs that the page about journals shows."""
