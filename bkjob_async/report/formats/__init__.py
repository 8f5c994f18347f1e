"""The forms of a report: a page, Markdown, JSON, JUnit."""
