"""Results show themselves: one line, a small table, and a picture of their own numbers."""

import math

import matplotlib
import numpy as np
import pytest
import scipy.integrate
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from numerics import (
    SQUARE_LOSS,
    LeastSquares,
    Member,
    Objective,
    SampleHessians,
    enclosed_moments,
    moments,
    sampled_moments,
    spectral_density,
    stability_map,
    stability_threshold,
    trace,
    train_ensemble,
)
from numerics.shown import between, draw_intervals
from numerics.stability.maps import THEOREMS
from theory.trusted.algorithms import SAM, SGD


def rows():
    generator = torch.Generator().manual_seed(0)
    return SampleHessians.from_rank_one(torch.randn(6, 4, generator=generator, dtype=torch.float64))


def curve(runs=None):
    problem = LeastSquares.gaussian(3, 4)
    if runs:
        return problem.sampled_losses(SAM, 0.2, 0.1, 5, runs=runs, seed=0)
    return problem.expected_losses(SAM, 0.2, 0.1, 5)


def training():
    def build(seed):
        torch.manual_seed(seed)
        return torch.nn.Linear(2, 1, bias=False).double()

    x = torch.eye(2, dtype=torch.float64)
    (run,) = train_ensemble(
        build,
        SQUARE_LOSS,
        x,
        x[:, :1],
        [Member(0, SGD, 0.5, 0.0, 1)],
        target_loss=1e-3,
        max_steps=40,
    )
    return run


def sampled():
    return sampled_moments(rows().select, 6, group_size=4, groups=4, seed=0)


MADE = {
    "moments": lambda: moments(rows()),
    "enclosed": lambda: enclosed_moments(rows()),
    "sampled": sampled,
    "density": lambda: spectral_density(rows().mean(), probes=3, steps=4),
    "trace": lambda: trace(rows().mean(), probes=3),
    "threshold": lambda: stability_threshold(rows(), 0.1),
    "map": lambda: stability_map(rows(), [0.1, 0.2], [0.0, 0.1]),
    "exact curve": curve,
    "sampled curve": lambda: curve(runs=5),
    "training": training,
    "operator": lambda: rows().mean(),
    "samples": rows,
}


@pytest.mark.parametrize("name", MADE)
def test_one_short_line_and_a_table_without_what_html_would_read(name):
    made = MADE[name]()
    line = repr(made)
    assert line.startswith(type(made).__name__ + "(") and line.endswith(")")
    assert "\n" not in line and len(line) < 260
    if hasattr(made, "_repr_html_"):
        page = made._repr_html_()
        assert page.startswith("<table>") and page.endswith("</table>")
        assert page.count("<td>") == page.count("</td>") > 0


def test_the_line_has_the_numbers_and_their_errors():
    found, threshold = moments(rows()), stability_threshold(rows(), 0.1)
    assert f"a={found.sharpness:.6g} ± {found.sharpness_error:.1g}, s2={found.s2:.6g}" in repr(
        found
    )
    assert f"<td>{found.s4:.6g} ± {found.s4_error:.1g}</td>" in found._repr_html_()
    assert f"value={threshold.value:.6g} in [" in repr(threshold)
    assert between(threshold.lower, threshold.upper) in repr(threshold)
    assert f"s2 in {between(*sampled().roots[0])}, s3 in [" in repr(sampled())


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.12345678, 0.12345678, "[0.123456, 0.123457]"),
        (-0.12345678, 2.0, "[-0.123457, 2]"),
        (1.23456789e-8, math.inf, "[1.23456e-08, inf]"),
        (1234567.0, 1234567.0, "[1.23456e+06, 1.23457e+06]"),
    ],
)
def test_ends_of_intervals_are_rounded_outwards(low, high, text):
    assert between(low, high) == text


PLOTTED = [
    *("moments", "sampled", "enclosed", "density"),
    *("map", "exact curve", "sampled curve", "training"),
]


@pytest.mark.parametrize("name", PLOTTED)
def test_axes_are_used_nothing_is_leaked_and_no_setting_is_changed(name):
    made = MADE[name]()
    settings, before = dict(matplotlib.rcParams), pyplot.get_fignums()
    ax, other = Figure().subplots(1, 2)
    assert made.plot(ax) is ax
    assert ax.has_data() and not other.has_data()
    assert pyplot.get_fignums() == before
    assert dict(matplotlib.rcParams) == settings


def test_without_axes_the_current_ones_are_used():
    pyplot.switch_backend("agg")
    try:
        mine = pyplot.figure().subplots()
        assert moments(rows()).plot() is curve().plot() is mine
    finally:
        pyplot.close("all")


def test_moments_are_drawn_as_they_are():
    found = moments(rows())
    (points,) = found.plot(Figure().subplots()).get_lines()
    assert list(points.get_ydata()) == [found.sharpness, found.s2, found.s3, found.s4]


@pytest.mark.parametrize("name", ["sampled", "enclosed"])
def test_intervals_are_drawn_as_they_are(name):
    found = MADE[name]()
    drawn = [list(line.get_ydata()) for line in found.plot(Figure().subplots()).get_lines()]
    if name == "sampled":
        expected = [(found.sharpness.low, found.sharpness.high), *found.roots]
    else:
        ends = (found.sharpness, found.s2, found.s3, found.s4)
        expected = [(end.low, end.high) for end in ends]
    assert drawn == [[end for end in ends if math.isfinite(end)] for ends in expected]


def test_an_infinite_end_is_not_drawn_and_the_other_points_there():
    ax = draw_intervals([(0.5, math.inf), (1.0, 2.0)], Figure().subplots())
    lines = ax.get_lines()
    assert [list(line.get_ydata()) for line in lines] == [[0.5], [1.0, 2.0]]
    assert [line.get_marker() for line in lines] == ["^", "_"]


def test_a_density_is_drawn_as_it_is():
    found = spectral_density(rows().mean(), probes=3, steps=4)
    (line,) = found.plot(Figure().subplots(), width=0.2, points=50).get_lines()
    expected, _ = found.density(line.get_xdata(), 0.2)
    assert np.array_equal(line.get_ydata(), expected)
    assert scipy.integrate.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(
        1, abs=1e-2
    )
    with pytest.raises(ValueError, match="width"):
        found.plot(Figure().subplots(), width=-1.0)


def test_curves_are_drawn_as_they_are():
    for found in (curve(), curve(runs=5)):
        ax = found.plot(Figure().subplots())
        (line,) = ax.get_lines()
        assert np.array_equal(line.get_ydata(), found.mean.numpy())
        assert len(ax.collections) == (not found.exact)
    run = training()
    (line,) = run.plot(Figure().subplots()).get_lines()
    assert np.array_equal(line.get_ydata(), run.losses.numpy())
    assert np.array_equal(line.get_xdata(), run.loss_steps.numpy())


def test_a_map_is_drawn_as_it_is():
    found = stability_map(rows(), [0.1], [0.0, 0.1])
    lines = {line.get_label(): line for line in found.plot(Figure().subplots()).get_lines()}
    assert list(lines["exact"].get_ydata()) == [at.exact.value for at in found.boundaries]
    assert list(lines["sufficient"].get_ydata()) == [at.one_step for at in found.boundaries]
    for name in THEOREMS:
        ends = [at.theorems.get(name, math.nan) for at in found.boundaries]
        np.testing.assert_array_equal(lines[name].get_ydata(), ends)


def test_an_objective_is_one_line():
    x = torch.eye(2)
    assert repr(Objective(torch.nn.Linear(2, 1), SQUARE_LOSS, x, x[:, :1])).count("\n") == 0
