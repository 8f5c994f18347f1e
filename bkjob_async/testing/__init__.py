"""What tests of watching need: the promise of the stream as a validator, and virtual time."""

from bkjob_async.testing.promise import Truth, broken_promises, states_of

__all__ = ["Truth", "broken_promises", "states_of"]
