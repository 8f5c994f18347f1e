"""The views of the board: targets, hosts, a log, the help."""
