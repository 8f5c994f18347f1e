"""What readers are given: cursors, and batches in a bounded log."""
