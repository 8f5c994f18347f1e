"""Tests of `bkjob_async.sync`."""
