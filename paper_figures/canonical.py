"""The one text of a value, and digests."""

from __future__ import annotations

import hashlib
import json
import reprlib
from typing import Any

__all__ = ["canonical_json", "sha256"]


def sha256(data: bytes | str) -> str:
    """The SHA-256 digest of bytes, or of text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, floats that round-trip exactly.

    Raises:
        ValueError: if the value has a part that JSON cannot hold, NaN and infinity included.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{reprlib.repr(value)} has no JSON form ({error})") from None
