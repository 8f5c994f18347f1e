"""The guide, the README and the docstrings are right."""
