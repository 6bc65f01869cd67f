"""CONTRIBUTING is followed literally, in a copy: a theorem, a problem and a figure."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(root):
    return (root / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def copy(root, page, tmp_path_factory):
    """A copy of what the commands touch, with the files that the page shows."""
    place = tmp_path_factory.mktemp("checkout")
    for name in ("theory", "numerics", "paper_figures", "tests", "docs", "data"):
        shutil.copytree(root / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", place)
    shown = re.findall(
        r"`(my_\w+\.py)`, anywhere[^`]*?:\n\n```python\n(.*?)```", joined(page), re.S
    )
    assert [name for name, _ in shown] == ["my_problem.py", "my_figure.py"]
    for name, text in shown:
        (place / name).write_text(text)
    return place


def joined(page):
    """The page without the folder that a figure may go into."""
    return page.replace(", or in `paper_figures/figures/`", "")


def commands(page):
    """The commands of the page that call the toolkit, and the blocks that they stand in."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.S)
    return [b for b in blocks if re.search(r"^(sam-|python -m)", b, re.M) and ".venv" not in b]


EXPECTED = ("1 verdicts: 1 consistent", "", "hilbert-lsq", "my_figure: computed 4 runs")


def test_there_is_an_expectation_for_every_block(page):
    assert len(commands(page)) == len(EXPECTED)


@pytest.fixture(scope="module")
def followed(page, copy):
    """Every block of commands, run in the order of the page."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return [
        subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        for block in commands(page)
    ]


@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_the_commands_do_what_the_page_says(number, followed):
    done = followed[number]
    assert done.returncode == 0, done.stdout + done.stderr
    assert EXPECTED[number] in done.stdout


def test_the_catalogue_has_the_new_theorem(followed, copy):
    """The commands ran on the copy, not on the checkout."""
    assert followed and "`my-theorem`" in (copy / "docs/catalogue.md").read_text()
