"""Errors that callers tell apart from bad arguments."""

from __future__ import annotations

__all__ = ["DataAbsent", "ModelFails"]


class DataAbsent(ValueError):
    """Data that does not ship with the project is not on this machine; the message says where."""


class ModelFails(ValueError):
    """A model or loss that cannot be evaluated on the data; the cause is the error of its own."""
