"""The commands of `bkjob`: click's options and arguments, one file a command."""
