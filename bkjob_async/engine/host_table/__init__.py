"""The hosts of one step and their statuses, in a few bytes a host."""
