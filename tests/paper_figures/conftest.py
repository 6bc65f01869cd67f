from pathlib import Path

import pytest

TOY = Path(__file__).with_name("toy.py")


@pytest.fixture
def toy():
    """The path of a figure file outside the package."""
    return TOY


@pytest.fixture
def toy_with(tmp_path):
    """Builds a copy of the toy figure whose smoke preset has the given entries."""

    def write(**entries):
        path = tmp_path / "toy.py"
        path.write_text(TOY.read_text().replace('"smoke": QUICK', f'"smoke": QUICK | {entries!r}'))
        return path

    return write


@pytest.fixture
def build(tmp_path, capfd):
    """Runs the command line on figures in a temporary folder; returns status, stdout, stderr."""
    from paper_figures.__main__ import main

    def call(*arguments):
        folders = ["--out", str(tmp_path / "figures"), "--results", str(tmp_path / "results")]
        status = main(["build", *map(str, arguments), *folders])
        return status, *capfd.readouterr()

    return call


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices, and other tests beside them: more threads only wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
