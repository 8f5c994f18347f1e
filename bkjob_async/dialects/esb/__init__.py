"""The ESB's dialects, job and jobv3."""
