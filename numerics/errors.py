"""Errors that callers tell apart from bad arguments."""

from __future__ import annotations

__all__ = ["DataAbsent"]


class DataAbsent(ValueError):
    """Data that does not ship with the project is not on this machine; the message says where."""
