"""Calls of the platform: what they ask for, and what they return."""
