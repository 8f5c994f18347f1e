"""Settings of a client outside of the program: the environment, profiles, secrets, proxies."""
