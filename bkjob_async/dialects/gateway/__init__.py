"""The API gateway's dialects, versions 3 and 4."""
