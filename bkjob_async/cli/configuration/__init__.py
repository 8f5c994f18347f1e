"""Where settings come from: options, the environment, the profile."""
