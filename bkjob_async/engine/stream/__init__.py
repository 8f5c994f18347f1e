"""What readers of a watch are given: events, their log and their cursors."""
