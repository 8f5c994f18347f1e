"""Requests to the platform: transports, and the session that uses them."""
