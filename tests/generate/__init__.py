"""Files that are written from others: operations from their classes, the synchronous twin from the client."""
