"""Regenerate every figure from computed data."""
