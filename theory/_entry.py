"""`python -m theory` puts the working folder first on the path of imports; this takes it off again.

`sam-prove` never has it there.  So no file of that folder takes the place of a module, whoever left
it there.  Imported before anything else, and imports only what Python itself has at its start.
"""

import os
import sys

__all__ = ["HOME", "is_the_program", "leave_working_folder"]

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120


def is_the_program() -> bool:
    """Whether Python is about to run `-m theory`: it has not yet found where that lies."""
    if sys.argv[:1] != ["-m"] or sys.flags.safe_path:
        return False
    word = sys.orig_argv[-len(sys.argv)]
    return word == "theory" or (word.startswith("-") and word.endswith("mtheory"))


def leave_working_folder() -> None:
    """Take the working folder off; a checkout that is not installed is found behind the library."""
    here = sys.path.pop(0)
    if here == HOME and HOME not in sys.path:
        installed = (i for i, p in enumerate(sys.path) if p.endswith(("-packages", "-packages/")))
        sys.path.insert(next(installed, len(sys.path)), HOME)


if is_the_program():
    leave_working_folder()
