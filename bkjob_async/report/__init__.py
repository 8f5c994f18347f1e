"""A report of a run: what its events amount to, as a page, Markdown, JSON or JUnit XML."""
