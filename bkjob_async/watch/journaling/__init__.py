"""The journal of a watch: writing it, and restoring a watch from it."""
