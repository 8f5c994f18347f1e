"""The functions that commands run, with an open client; imported when a command is run."""
