"""Tests of what streams amount to."""
