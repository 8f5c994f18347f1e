"""The ways into the simulator: in process, over HTTP, from a thread."""
