"""The data sets, checked against their hashes."""
