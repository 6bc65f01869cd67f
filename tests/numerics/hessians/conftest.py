"""Per-sample Hessians of every kind, as a parameter."""

from __future__ import annotations

import pytest
from oracles.samples import KINDS


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def pair(request):
    """The factored object, and its matrices as numpy sees them."""
    samples = request.param()
    return samples, samples.to_dense().numpy()
