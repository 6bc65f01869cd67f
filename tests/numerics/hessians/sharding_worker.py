"""One of two processes that share the samples unevenly; run as a script by the test."""

import json
import os
import sys
from datetime import timedelta

import torch
import torch.distributed as dist

from numerics.hessians import CROSS_ENTROPY, moments, operator, per_sample, trace
from numerics.hessians.sharding import ShardedHessians, sharded_operator
from numerics.networks.perceptrons import mlp


def problem():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(10, 3, generator=g, dtype=torch.float64)
    return mlp((3, 5, 2), seed=1), x, torch.randint(0, 2, (10,), generator=g)


def main(rank, store):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    model, x, y = problem()
    part = slice(0, 8) if rank == 0 else slice(8, 10)
    own = operator(model, CROSS_ENTROPY, x[part], y[part], reduction="sum")
    h = sharded_operator(own, len(x[part]))
    found = moments(
        ShardedHessians(per_sample(model, CROSS_ENTROPY, x[part], y[part])), method="lanczos"
    )
    ones = torch.ones(h.size, dtype=torch.float64)
    result = {
        "product": h(ones).tolist(),
        "trace": trace(h).value,
        "moments": [found.sharpness, found.s2, found.s3, found.s4],
        "samples": found.samples,
    }
    print(json.dumps(result), flush=True)
    dist.barrier()
    os._exit(0)  # torch may abort where it takes gloo's threads down: not what is tested


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
