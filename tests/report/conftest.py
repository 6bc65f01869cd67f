import pytest

import theory
from numerics.commands import as_json
from numerics.confrontations.verdicts import Point, inconclusive, judge

#: One of each sort: proved, refuted, an induction, a family with figures, an exact counterexample.
SOME = (
    "lyapunov-stability",
    "pl-half-to-bare",
    "sam-edge",
    "sam-pl-linear",
    "sam-stability-one-step-necessary",
    "sgd-stability-s2-published",
    "sam-stability-s2-sharp",
)


@pytest.fixture(scope="session")
def document():
    """The JSON document of measurements: one consistent, one attained, two inconclusive."""
    where = {"step_size": 0.25, "radius": 0.125}
    verdicts = [
        judge("sam-pl-linear", "toy", "E f(x⁺)", [Point(0.5, 1.0, 1e-12, where)]),
        judge("sam-edge", "toy", "growth", [Point(1.0, 1.0, 1e-12, where)]),
        inconclusive("sam-edge", "other", "its a < b & c are not known"),
        inconclusive("sam-stability-s2-sharp", "other", "no interpolation"),
    ]
    return as_json(verdicts, [], "cpu", 2, 0.0)


@pytest.fixture(scope="session")
def explorer():
    """The stability map of two minima at a few radii."""
    import torch

    from paper_figures.report.explorer import MINIMA, explorer_data

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield explorer_data(MINIMA[:2], (0.0, 0.5, 1.5))
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def report(document, explorer, root):
    """A page with some theorems."""
    from paper_figures.report.figures import related
    from paper_figures.report.measured import read
    from paper_figures.report.page import render
    from theory.opinions import examine

    library = theory.load()
    verdicts = [examine(theory.get(name)) for name in SOME]
    figures = related(root / "docs", library)
    return render(verdicts, read(document, library, "a test"), figures, explorer)


@pytest.fixture(scope="session")
def whole(explorer, root):
    """The page of the whole library, with the map of `explorer`; half a minute."""
    from paper_figures.report import page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "explorer_data", lambda: explorer)
        return page.build(None, root / "docs")
