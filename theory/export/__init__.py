"""Theorems and certificates in other notations."""
