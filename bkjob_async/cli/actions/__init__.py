"""What the commands do, with an open client; imported when a command is run."""
