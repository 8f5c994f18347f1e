"""Requests and responses as the platform's documents have them."""
