"""Strip the notebooks for review: no outputs, no counts, one metadata, one layout of the file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
METADATA = {"kernelspec": KERNEL, "language_info": {"name": "python"}}


def stripped(text: str) -> str:
    """The same notebook with nothing in it that running it, or another machine, would change."""
    cells = [_stripped_cell(cell) for cell in json.loads(text)["cells"]]
    notebook = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _stripped_cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = "".join(cell["source"]).splitlines(keepends=True)
    kept = {"id": cell["id"], "metadata": {}, "source": source}
    if cell["cell_type"] == "code":
        kept |= {"execution_count": None, "outputs": []}
    return dict(sorted({"cell_type": cell["cell_type"], **kept}.items()))


def main(names: list[str]) -> None:
    """Rewrite the notebooks that are not stripped, and say which."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "notebooks", nargs="*", type=Path, metavar="FILE.ipynb", help="default: those beside this"
    )
    beside = sorted(Path(__file__).parent.glob("*.ipynb"))
    for path in parser.parse_args(names).notebooks or beside:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as problem:
            parser.error(f"{path}: {problem.strerror}")
        if stripped(text) != text:
            path.write_text(stripped(text), encoding="utf-8")
            print(f"stripped {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
