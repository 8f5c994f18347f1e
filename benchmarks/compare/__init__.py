"""What the library is measured beside: a server of prepared answers, other clients, other ways to do the same."""
