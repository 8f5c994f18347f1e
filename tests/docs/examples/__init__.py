"""The longer examples of the guide; `tests/docs/test_migration.py` and `tests/client/test_examples.py` run them."""
