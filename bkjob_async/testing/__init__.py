"""What tests of watching need: the promise of the stream as a validator, and the truth to hold it against."""

from bkjob_async.testing.promise import Truth, broken_promises, states_of
from bkjob_async.testing.truth import truth_of

__all__ = ["Truth", "broken_promises", "states_of", "truth_of"]
