"""What readers are given: cursors, batches in a bounded log, and events made on demand."""
