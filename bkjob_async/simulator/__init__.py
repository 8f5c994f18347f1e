"""A simulated platform, written from the documents: used in process or over HTTP."""
