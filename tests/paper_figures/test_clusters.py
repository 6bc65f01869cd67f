"""Dask and Slurm back ends: a real cluster with a killed worker, real submitit jobs."""

import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paper_figures.clusters import DaskExecutor, SubmititExecutor
from paper_figures.executors import SerialExecutor, make_executor
from paper_figures.recipes import Compute, load
from paper_figures.runs import RunStore, execute


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


@pytest.fixture
def figure(tmp_path, toy_with):
    """The toy figure with six runs; each leaves a file with its seed and process."""
    path = toy_with(touch=str(tmp_path / "started"), sleep=0.5, seeds=[*range(6)])
    (tmp_path / "started").mkdir()
    text = path.read_text().replace('started-{run.seed}"', '{run.seed}-{os.getpid()}"')
    path.write_text(text.replace("import time", "import os\nimport time", 1))
    return path


def run_all(figure, store, executor):
    recipe = load(str(figure))
    version = recipe.version()
    runs = recipe.runs(recipe.parameters("smoke"))
    return execute("toy", version, Compute(str(figure), version), runs, store, executor)


def results(report):
    return [record.result for record in report.records]


@pytest.mark.slow
def test_dask_loses_nothing_when_a_worker_is_killed(cluster, figure, tmp_path):
    """SIGKILL one of two workers in the middle of a run: the other, or its heir, repeats it."""
    from distributed import Client

    started = tmp_path / "started"
    with (
        Client(cluster) as client,
        DaskExecutor(client) as executor,
        ThreadPoolExecutor(1) as beside,
    ):
        workers = set(client.run(os.getpid).values())
        assert len(workers) == 2
        future = beside.submit(run_all, figure, RunStore(tmp_path / "dask"), executor)
        wait_until(lambda: len(list(started.iterdir())) >= 3)  # the third or fourth is in flight
        victim = int(max(started.iterdir(), key=lambda p: p.stat().st_mtime_ns).name.split("-")[1])
        os.kill(victim, signal.SIGKILL)
        report = future.result(timeout=100)
    assert report[1:] == (6, 0)
    attempts = [tuple(map(int, path.name.split("-"))) for path in started.iterdir()]
    seeds = [seed for seed, _ in attempts]
    repeated = {seed for seed in seeds if seeds.count(seed) > 1}
    assert victim in workers and repeated
    assert all((seed, victim) in attempts for seed in repeated)
    assert len(list((tmp_path / "dask").rglob("*.json"))) == 6
    alone = run_all(figure, RunStore(tmp_path / "serial"), SerialExecutor())
    assert results(report) == results(alone)


@pytest.mark.slow
def test_dask_builds_a_figure_like_this_process(build, toy, tmp_path):
    """`dask` starts its own cluster and gives the bytes of a serial build."""
    pytest.importorskip("distributed")
    table = tmp_path / "figures" / "toy.csv"
    assert build(toy, "--preset", "smoke", "--executor", "serial")[0] == 0
    serial = table.read_bytes()
    table.unlink()
    options = ("--preset", "smoke", "--executor", "dask", "--jobs", "2", "--force")
    status, out, _ = build(toy, *options)
    assert status == 0
    assert "computed 3 runs, reused 0" in out
    assert table.read_bytes() == serial


def test_dask_without_a_scheduler_is_one_line(build, toy, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("paper_figures.clusters.CONNECT_WITHIN", 0.2)
    before = set(tmp_path.iterdir())
    status, out, err = build(toy, "--preset", "smoke", "--executor", "dask://127.0.0.1:1")
    assert (status, out) == (2, "")
    assert err.startswith("error: no Dask scheduler answers at 127.0.0.1:1")
    assert err.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("name", "module"), [("dask", "distributed"), ("slurm", "submitit")])
def test_an_absent_extra_is_one_line(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"executor {name} needs {module}: pip install") as caught:
        make_executor(name, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "gpu?timeout_min=5", "gpu?nonsense=5", "gpu?timeout_min"])
def test_slurm_without_slurm_is_one_line(address, tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no srun
    with pytest.raises(ValueError, match=r"^executor slurm://.* cannot be used: ") as caught:
        make_executor(f"slurm://{address}", 1)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def jobs(tmp_path):
    submitit = pytest.importorskip("submitit")
    executor = submitit.AutoExecutor(folder=tmp_path / "jobs", cluster="local")
    executor.update_parameters(timeout_min=5)
    return executor


@pytest.mark.slow
def test_submitit_jobs_give_the_results_of_this_process(jobs, figure, tmp_path, monkeypatch):
    """Real processes through submitit's own files, two at a time."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with SubmititExecutor(jobs, 2) as executor:
        report = run_all(figure, RunStore(tmp_path / "jobs-store"), executor)
    assert report[1:] == (6, 0)
    assert os.getpid() not in {int(p.name.split("-")[1]) for p in (tmp_path / "started").iterdir()}
    alone = run_all(figure, RunStore(tmp_path / "serial"), SerialExecutor())
    assert results(report) == results(alone)


class _Job:
    """A job that runs until it is cancelled."""

    def __init__(self):
        self.cancelled = threading.Event()

    def cancel(self):
        self.cancelled.set()

    def result(self):
        assert self.cancelled.wait(60)
        raise RuntimeError("cancelled")


def test_shutdown_cancels_queued_and_running_jobs():
    class Submitit:
        started: list = []  # noqa: RUF012

        def submit(self, *_args):
            self.started.append(_Job())
            return self.started[-1]

    executor = SubmititExecutor(Submitit(), 2)
    futures = [executor.submit(print) for _ in range(3)]
    wait_until(lambda: len(Submitit.started) == 2)
    executor.shutdown()
    assert all(job.cancelled.is_set() for job in Submitit.started)
    assert len(Submitit.started) == 2 and all(future.done() for future in futures)
    assert futures[2].cancelled()
