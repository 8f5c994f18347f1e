"""What all dialects share: envelopes, fields, hosts, errors."""
