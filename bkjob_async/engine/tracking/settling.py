"""How long details of what is over may still move, in seconds."""

# Details may lag behind a final status: rows are written after the step, a retry shows the old status at first.
SETTLE_BOUND = 15.0
SETTLE_INTERVAL = 1.0
UNREAD_BOUND = 120.0
