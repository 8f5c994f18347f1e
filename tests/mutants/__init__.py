"""Mutants of the product's own code, to see whether the tests notice them: `python -m tests.mutants`."""
