"""Two processes with 8 and 2 samples find what one process with 10 finds."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from numerics.hessians import CROSS_ENTROPY, moments, operator, per_sample, trace

WORKER = Path(__file__).with_name("sharding_worker.py")


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="torch without gloo")
def test_two_processes_equal_one(tmp_path, root):
    command = [sys.executable, str(WORKER)]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    results = [json.loads(output.splitlines()[-1]) for output in outputs]

    model, x, y = runpy.run_path(str(WORKER))["problem"]()
    h = operator(model, CROSS_ENTROPY, x, y)
    found = moments(per_sample(model, CROSS_ENTROPY, x, y), method="lanczos")
    expected = [found.sharpness, found.s2, found.s3, found.s4]
    for result in results:
        product = h(torch.ones(h.size, dtype=torch.float64)).numpy()
        np.testing.assert_allclose(result["product"], product, atol=1e-14)  # one rounding
        assert result["trace"] == pytest.approx(trace(h).value, rel=1e-13)
        assert result["moments"] == pytest.approx(expected, rel=1e-9)  # ARPACK stops at 1e-12
        assert result["samples"] == 10
