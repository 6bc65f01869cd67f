"""What the toolkit's commands share: how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

__all__ = ["ended"]


def ended(action: Callable[[], int]) -> int:
    """Run a command and return its exit status.

    Bad input (a ValueError) is one line on stderr and status 2; Ctrl-C is status 130; a reader that
    went away, as in `... | head`, is status 141, without a traceback.
    """
    try:
        status = action()
        sys.stdout.flush()
        return status
    except ValueError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # nothing can be written any more: keep the interpreter's own flush at exit from failing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
