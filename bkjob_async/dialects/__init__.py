"""Encoding and decoding of the platform's four API dialects; one file each, one model."""
