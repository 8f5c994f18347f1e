"""The commands of `bkjob`: click's options and arguments, in one file those of one subject."""
