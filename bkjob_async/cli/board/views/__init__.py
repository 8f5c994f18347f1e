"""What the board shows: targets, hosts, a log, the help."""
