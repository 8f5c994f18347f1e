"""Tests of the journal's stores, of faults, and of whole processes."""
