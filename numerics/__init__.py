"""Measure on real problems what the theorems talk about."""
