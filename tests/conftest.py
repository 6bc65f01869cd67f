"""What every test shares: the oracles on the path, and one thread per worker."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "theory")]

# Two workers on two cores: one thread each.  Set before torch and BLAS start their pools.
if os.environ.get("PYTEST_XDIST_WORKER"):
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"


@pytest.fixture(scope="session")
def root():
    """The root of the repository."""
    return Path(__file__).parent.parent
