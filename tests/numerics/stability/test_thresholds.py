"""Exact thresholds against Kronecker spectra over all batches, closed forms and known orders."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import stability as oracle

from numerics.hessians import SampleHessians, mean_square_radius, step_second_moment
from numerics.hessians.bases import ExplicitBasis
from numerics.stability import (
    directional_threshold,
    one_step_threshold,
    stability_threshold,
    step_law,
    threshold_of,
)
from numerics.stability.perron import spectral_radius
from theory.trusted.algorithms import GD, NORMALIZED_SAM, SAM, SGD

FRESH = replace(SAM, name="SAM, fresh ascent batch", fresh_batch=True)
KINDS = {
    "same": {},
    "sample": {"ascent_per_sample": True},
    "fresh": {"spec": FRESH},
}
# An unsymmetric Kronecker eigenproblem of size 16 in float64; ours is good to 1e-13.
BRUTE = 1e-10


def matrices(n, d, rank, seed=0):
    g = torch.Generator().manual_seed(seed)
    a = torch.randn(n, d, rank, generator=g, dtype=torch.float64)
    return a @ a.mT / d


def rows(n, d, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 3, 1), (5, 3, 2), (4, 4, 4), (3, 1, 1)])
@pytest.mark.parametrize("radius", [0.0, 0.4])
def test_threshold_equals_kronecker_spectra_over_all_batches(kind, shape, radius):
    h = matrices(*shape)
    for size in range(1, shape[0] + 1):
        steps = oracle.step_matrices(list(h.numpy()), radius, size, kind)
        found = stability_threshold(
            SampleHessians.from_dense(h), radius, batch_size=size, **KINDS[kind]
        )
        expected = oracle.threshold(steps)
        assert found.value == pytest.approx(expected, rel=BRUTE)
        # The oracle's own round-off, some 1e-14, may fall outside a bracket of 1e-11.
        assert found.lower * (1 - 1e-13) <= expected <= found.upper * (1 + 1e-13)
        assert found.upper / found.lower - 1 < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_threshold_is_where_the_mean_square_radius_crosses_one(kind):
    """The criterion itself, not its closed form: the spectral radius of E[M (x) M]."""
    h = matrices(5, 3, 2, seed=3)
    for size in (1, 3):
        steps = oracle.step_matrices(list(h.numpy()), 0.3, size, kind)
        found = stability_threshold(
            SampleHessians.from_dense(h), 0.3, batch_size=size, **KINDS[kind]
        )
        # The radius has slope of order 1 there; 1e-6 of the step size separates both sides.
        assert oracle.mean_square_radius(steps, found.value * (1 - 1e-6)) < 1
        assert oracle.mean_square_radius(steps, found.value * (1 + 1e-6)) > 1


def test_threshold_agrees_with_the_mean_square_radius_of_the_hessians_package():
    h = SampleHessians.from_rank_one(rows(30, 12))
    for radius in (0.0, 0.01):
        found = stability_threshold(h, radius)
        # Lanczos to 1e-12 on both sides.
        assert mean_square_radius(h, found.value, radius).value == pytest.approx(1, abs=1e-10)


def test_factored_and_dense_hessians_give_the_same():
    """Rank one in 7 of 10 dimensions, where the factored route works on the range alone."""
    a = rows(7, 10)
    factored = SampleHessians.from_rank_one(a)
    dense = SampleHessians.from_dense(a[:, :, None] * a[:, None, :])
    for kind, choice in KINDS.items():
        one, other = (
            stability_threshold(h, 0.1, batch_size=3, **choice) for h in (factored, dense)
        )
        assert one.dimension == other.dimension == 7, kind
        # Two bases of one range, each to round-off.
        assert one.value == pytest.approx(other.value, rel=1e-9)


def test_rotation_and_scaling():
    """Orthogonal coordinates change nothing; H -> c H is eta -> eta / c, rho -> rho / c."""
    h = matrices(5, 4, 2)
    q, _ = torch.linalg.qr(rows(4, 4, seed=9))
    base = stability_threshold(SampleHessians.from_dense(h), 0.2, batch_size=2).value
    rotated = SampleHessians.from_dense(q @ h @ q.T)
    scaled = SampleHessians.from_dense(3 * h)
    # round-off through two eigendecompositions
    assert stability_threshold(rotated, 0.2, batch_size=2).value == pytest.approx(base, rel=1e-11)
    found = stability_threshold(scaled, 0.2 / 3, batch_size=2).value
    assert 3 * found == pytest.approx(base, rel=1e-11)


def test_closed_forms():
    # Unit rows: E a a' = D(I), so C^{-1} D I = I and the threshold is 2, however the rows lie.
    unit = torch.nn.functional.normalize(rows(12, 8), dim=1)
    assert stability_threshold(SampleHessians.from_rank_one(unit)).value == pytest.approx(2, 1e-12)
    # Orthogonal rows of norms g_i decouple: eta (g + rho g^2) <= 2 for the largest g.
    g = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    orthogonal = SampleHessians.from_rank_one(torch.diag(g.sqrt()))
    assert stability_threshold(orthogonal, 0.5).value == pytest.approx(2 / (3 + 0.5 * 9), 1e-12)
    # Full batch, one direction: SAM's edge.
    one = SampleHessians.from_dense(torch.full((1, 1, 1), 5.0, dtype=torch.float64))
    assert stability_threshold(one, 0.1).value == pytest.approx(2 / (5 + 0.1 * 25), 1e-14)
    # Deterministic: 2 / (a (1 + rho a)) whatever the samples.
    h = SampleHessians.from_dense(matrices(4, 3, 3))
    a = float(torch.linalg.eigvalsh(h.mean_power(1))[-1])
    gd = stability_threshold(h, 0.7, replace(SAM, stochastic=False))
    assert gd.value == pytest.approx(2 / (a * (1 + 0.7 * a)), rel=1e-12)
    assert stability_threshold(h, 0.7, GD).value == pytest.approx(2 / a, rel=1e-12)
    assert stability_threshold(h, 0.7, SGD).value == stability_threshold(h, 0.0).value


def test_a_saddle_is_refused_and_the_message_says_what_to_do():
    saddle = SampleHessians.from_dense(torch.diag(torch.tensor([1.0, -0.5]).double())[None])
    with pytest.raises(ValueError, match=r"sample 0 .* -0\.5 .*train on.*part='gauss_newton'"):
        stability_threshold(saddle)


def test_a_threshold_prints_in_a_line():
    text = repr(stability_threshold(SampleHessians.from_rank_one(rows(12, 8)), 0.1))
    assert text.startswith("StabilityThreshold(value=") and len(text.splitlines()) == 1
    assert "tensor" not in text


@pytest.mark.parametrize("kind", ["same", "sample"])
def test_batch_size_law_is_monotone(kind):
    """Proved for SGD and for the ascent per sample: D_B decreases in B on the cone."""
    h = SampleHessians.from_rank_one(rows(9, 6))
    radius = 0.0 if kind == "same" else 0.05
    values = [
        stability_threshold(h, radius, batch_size=b, **KINDS[kind]).value for b in range(1, 10)
    ]
    assert values == sorted(values)
    assert values[0] < 0.9 * values[-1]  # and not because all are equal


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 2), st.integers(1, 4), st.integers(1, 3))
def test_order_of_the_criteria(seed, radius, size, rank):
    """One step <= exact <= directional <= sharpness edge, for any minimum."""
    h = SampleHessians.from_dense(matrices(4, 3, rank, seed))
    law = step_law(h, radius, batch_size=size)
    exact = threshold_of(law)
    a = float(torch.linalg.eigvalsh(h.mean_power(1))[-1])
    chain = [
        one_step_threshold(law),
        exact.value,
        directional_threshold(law, exact.eigenmatrix).value,
    ]
    # round-off where two of them coincide
    assert all(low <= high * (1 + 1e-10) for low, high in pairwise(chain))
    edge = 2 / (a * (1 + radius * a))
    assert exact.value <= edge * (1 + 1e-10)


def test_one_step_threshold_is_where_the_one_step_condition_ends():
    h = matrices(4, 3, 2, seed=5)
    samples = SampleHessians.from_dense(h)
    for size in (1, 2):
        law = step_law(samples, 0.3, batch_size=size)
        steps = oracle.step_matrices(list(h.numpy()), 0.3, size, "same")
        found = one_step_threshold(law)
        # bisection on a largest eigenvalue with slope of order 1
        assert found == pytest.approx(oracle.one_step_threshold(steps), rel=1e-10)
        at = step_second_moment(samples, found, 0.3, batch_size=size)
        assert at.value == pytest.approx(1, abs=1e-12)


def test_directional_threshold_finds_the_best_direction_of_the_plane():
    for seed in range(5):
        h = matrices(4, 2, 1, seed)
        law = step_law(SampleHessians.from_dense(h), 0.2)
        found = directional_threshold(law, threshold_of(law).eigenmatrix)
        steps = oracle.step_matrices(list(h.numpy()), 0.2, 1, "same")
        # the grid of 20000 angles misses the minimum by at most (1e-4)^2 times the curvature
        assert found.value == pytest.approx(oracle.directional_threshold(steps), rel=1e-6)


def test_eigenmatrix_neither_grows_nor_decays_at_the_threshold():
    h = matrices(5, 4, 2, seed=2)
    found = stability_threshold(SampleHessians.from_dense(h), 0.3, batch_size=2)
    v = found.directions.numpy()
    x = v @ found.eigenmatrix.numpy() @ v.T
    steps = oracle.step_matrices(list(h.numpy()), 0.3, 2, "same")
    m = [np.eye(4) - found.value * k for k in steps]
    after = sum(part @ x @ part.T for part in m) / len(m)
    # residual 1e-11 relative to a trace of 1
    assert np.abs(after - x).max() < 1e-10
    assert np.trace(x) == pytest.approx(1)
    assert np.linalg.eigvalsh(x)[0] > -1e-9


def test_bracket_holds_where_the_eigenmatrix_is_singular():
    """Orthogonal samples: the eigenmatrix has rank one, and Collatz's ratios at it are useless."""
    g = torch.linspace(1, 2, 30, dtype=torch.float64)
    found = spectral_radius(step_law(SampleHessians.from_rank_one(torch.diag(g.sqrt()))))
    assert float(torch.linalg.eigvalsh(found.matrix)[0]) < 1e-6
    assert found.lower <= 2 <= found.upper
    assert found.upper - found.lower < 1e-8


def test_classification_follows_the_bracket():
    found = stability_threshold(SampleHessians.from_dense(matrices(4, 3, 2)), 0.1)
    assert found.classify(found.lower) == "stable"
    assert found.classify(found.value) == "inconclusive"
    assert found.classify(found.upper * (1 + 1e-9)) == "unstable"
    with pytest.raises(ValueError, match="step_size is 0: it must be above 0"):
        found.classify(0.0)


def test_refusals():
    h = SampleHessians.from_dense(matrices(4, 3, 2))
    with pytest.raises(ValueError, match=r"batch_size is 5: it must be in 1 \.\.\. 4"):
        stability_threshold(h, batch_size=5)
    with pytest.raises(ValueError, match="radius is -1: it must be at least 0"):
        stability_threshold(h, -1.0)
    with pytest.raises(ValueError, match="normalised SAM is not a polynomial"):
        stability_threshold(h, 0.1, NORMALIZED_SAM)
    with pytest.raises(ValueError, match="choose one of the two"):
        stability_threshold(h, 0.1, FRESH, ascent_per_sample=True)
    with pytest.raises(ValueError, match="nothing moves"):
        stability_threshold(SampleHessians.from_dense(torch.zeros(2, 2, 2, dtype=torch.float64)))
    indefinite = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64)).expand(2, 2, 2)
    with pytest.raises(ValueError, match=r"2 of 2 are not positive .* about minima"):
        stability_threshold(SampleHessians.from_dense(indefinite))
    law = step_law(h, 0.1, FRESH)
    with pytest.raises(ValueError, match="not symmetric: use the same batch"):
        one_step_threshold(law)
    small = SampleHessians.from_dense(matrices(4, 3, 2), memory_limit=1000)
    with pytest.raises(ValueError, match=r"pairs of 4 samples .* use ascent_per_sample=True"):
        stability_threshold(small, 0.1, batch_size=2)


def test_every_sample_must_be_semidefinite_not_the_mean():
    """Directions that grow for one sample and shrink for another cancel in the mean."""
    h = torch.zeros(3, 2, 2, dtype=torch.float64)
    h[:, 0, 0], h[1, 1, 1], h[2, 1, 1] = 1.0, 2.0, -1.0  # the mean is diag(1, 1/3)
    rotated = torch.linalg.qr(matrices(1, 2, 2)[0])[0]
    line = r"sample 2 has an eigenvalue of -0\.5 times .* 1 of 3 are not"
    for samples in (h, rotated @ h @ rotated.mT):
        for c in (1e-12, 1.0, 1e200):
            with pytest.raises(ValueError, match=line):
                stability_threshold(SampleHessians.from_dense(c * samples))
            with pytest.raises(ValueError, match=line):
                step_law(SampleHessians.from_dense(c * samples), 0.1 / c)
    # the same beyond the range of the mean, where nothing seems to move: U C U' with C indefinite
    columns = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    cores = torch.tensor([[[1.0, 0], [0, 1]], [[1, 0], [0, -1]]], dtype=torch.float64)
    factored = SampleHessians(ExplicitBasis(columns), cores)
    with pytest.raises(ValueError, match="sample 1 has an eigenvalue of -1 times"):
        stability_threshold(factored)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bracket_does_not_depend_on_the_units(kind):
    arguments = {"batch_size": 2, **KINDS[kind]}
    samples = matrices(5, 3, 1)
    one = stability_threshold(SampleHessians.from_dense(samples), 0.05, **arguments)
    for c in (1e-250, 1e-16, 1e-8, 3.0, 1e8, 1e16, 1e250):
        found = stability_threshold(SampleHessians.from_dense(c * samples), 0.05 / c, **arguments)
        # c H is rounded: everything else is a power of two, or relative
        assert c * found.value == pytest.approx(one.value, rel=1e-13)
        assert found.upper - found.lower < 2 * (one.upper - one.lower) / c
        assert found.lower <= found.value <= found.upper
        assert found.radius == 0.05 / c
