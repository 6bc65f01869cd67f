"""The store: keys, atomicity, damage, interruption, reuse."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paper_figures.executors import SerialExecutor, default_jobs, make_executor
from paper_figures.runs import Run, RunFailed, RunStore, atomic_write, execute
from paper_figures.tables import from_csv

ROOT = Path(__file__).parents[2]
RUNS = [Run({"factor": 3}, seed) for seed in range(4)]


def triple(run):
    return {"value": run.parameters["factor"] * run.seed}


def values(report):
    return [record.result["value"] for record in report.records]


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path)


def fill(store, runs=RUNS, compute=triple, executor=None, **kwargs):
    return execute("fig", "v1", compute, runs, store, executor or SerialExecutor(), **kwargs)


def test_second_time_reuses_everything(store):
    first, second = fill(store), fill(store, compute=None)
    assert (first.computed, first.reused) == (4, 0)
    assert (second.computed, second.reused) == (0, 4)
    assert values(first) == values(second) == [0, 3, 6, 9]
    assert first.records == second.records


def test_force_computes_again(store):
    fill(store)
    assert fill(store, force=True)[1:] == (4, 0)


def test_only_what_is_missing_is_computed(store):
    fill(store, RUNS[:3])
    seen = []
    report = fill(store, compute=lambda run: seen.append(run.seed) or triple(run))
    assert seen == [3]
    assert report[1:] == (1, 3)
    assert values(report) == [0, 3, 6, 9]


def test_identical_runs_are_computed_once(store):
    report = fill(store, [RUNS[1], RUNS[2], RUNS[1]])
    assert report.computed == 2
    assert values(report) == [3, 6, 3]


@pytest.mark.parametrize(
    "other",
    [
        lambda: Run({"factor": 4}, 0).key("fig", "v1"),
        lambda: Run({"factor": 3.0}, 0).key("fig", "v1"),
        lambda: Run({"factor": 3, "more": None}, 0).key("fig", "v1"),
        lambda: Run({"factor": 3}, 1).key("fig", "v1"),
        lambda: Run({"factor": 3}, None).key("fig", "v1"),
        lambda: Run({"factor": 3}, 0, "other data").key("fig", "v1"),
        lambda: Run({"factor": 3}, 0, device="cuda").key("fig", "v1"),
        lambda: RUNS[0].key("another", "v1"),
        lambda: RUNS[0].key("fig", "v2"),
    ],
)
def test_key_depends_on_everything(other):
    assert other() != RUNS[0].key("fig", "v1")


def test_key_ignores_the_order_of_parameters():
    assert Run({"a": 1, "b": 2}).key("f", "v") == Run({"b": 2, "a": 1}).key("f", "v")


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_parameters_without_json_form_are_refused(value):
    with pytest.raises(ValueError, match="no JSON form"):
        Run({"bad": value}).key("f", "v")


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def damage_value(path):
    content = json.loads(path.read_text())
    content["result"]["value"] += 1
    path.write_text(json.dumps(content))


def damage_empty(path):
    path.write_bytes(b"")


def damage_other_json(path):
    path.write_text("[1, 2]")


def damage_swap(path):
    other = next(p for p in path.parent.iterdir() if p != path)
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    "damage", [damage_truncate, damage_value, damage_empty, damage_other_json, damage_swap]
)
def test_damaged_file_is_computed_again_and_said_so(store, damage, capsys):
    key = fill(store).records[2].key
    path = store.path("fig", key)
    damage(path)
    report = fill(store)
    assert values(report) == [0, 3, 6, 9]
    assert report[1:] == (1, 3)
    message = capsys.readouterr().err
    assert str(path) in message
    assert "damaged" in message
    assert fill(store)[1:] == (0, 4)


def test_failure_keeps_finished_runs_and_starts_no_others(store):
    seen = []

    def fails_at_two(run):
        seen.append(run.seed)
        if run.seed == 2:
            raise ArithmeticError("diverged")
        return triple(run)

    with pytest.raises(RunFailed, match=r"ArithmeticError: diverged.*\"seed\":2"):
        fill(store, compute=fails_at_two)
    assert seen == [0, 1, 2]
    assert fill(store)[1:] == (2, 2)


def test_failure_in_a_pool_keeps_the_runs_in_flight(store):
    def fails_at_zero(run):
        time.sleep(0.2 if run.seed == 0 else 0.4)  # 1 is in flight when 0 fails
        if run.seed == 0:
            raise ArithmeticError("diverged")
        return triple(run)

    with ThreadPoolExecutor(2) as pool, pytest.raises(RunFailed, match="diverged"):
        fill(store, compute=fails_at_zero, executor=pool)
    assert 1 in [json.loads(p.read_text())["seed"] for p in store.folder.rglob("*.json")]


@pytest.mark.parametrize("value", [float("inf"), object()])
def test_results_that_are_not_finite_json_fail(store, value):
    with pytest.raises(RunFailed, match="the result 'loss' is not finite JSON"):
        fill(store, compute=lambda run: {"loss": value})
    assert not list(store.folder.rglob("*.json"))


def test_interrupt_keeps_finished_runs(store):
    def interrupted_at_two(run):
        if run.seed == 2:
            raise KeyboardInterrupt
        return triple(run)

    with pytest.raises(KeyboardInterrupt):
        fill(store, compute=interrupted_at_two)
    assert fill(store)[1:] == (2, 2)


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def full_disk(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_write_removes_what_a_killed_process_left(tmp_path):
    path, leftover, fresh = (tmp_path / n for n in ("file", ".file.1.tmp", ".file.2.tmp"))
    leftover.write_bytes(b"half")
    fresh.write_bytes(b"being written by another process")
    os.utime(leftover, (0, 0))
    atomic_write(path, b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([path, fresh])


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_must_be_positive(jobs):
    with pytest.raises(ValueError, match=f"--jobs {jobs}: give 1 or more"):
        make_executor("local", jobs)


def test_unknown_executor_is_refused():
    with pytest.raises(ValueError, match="executor 'ray://here:1' is not known: use one of"):
        make_executor("ray://here:1", 1)


def wait_until(condition, seconds=60.0):
    """Poll; a minute is far beyond what starting a process takes on a loaded machine."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def start(figure, folder, *options, on_interrupt=signal.SIG_DFL):
    """Start a build that interrupts reach, however the tests themselves were started."""
    folders = ["--out", str(folder / "figures"), "--results", str(folder / "results")]
    command = [sys.executable, "-m", "paper_figures", "build", str(figure), "--preset", "smoke"]
    before = signal.signal(signal.SIGINT, on_interrupt)  # a child inherits it
    try:
        return subprocess.Popen(
            [*command, *folders, *options],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def test_sigkill_loses_only_the_run_in_flight(tmp_path, toy_with, build):
    figure = toy_with(touch=str(tmp_path), sleep=0.8)
    process = start(figure, tmp_path, "--executor", "serial")
    wait_until((tmp_path / "started-2").exists)  # two are done, the third is in flight
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "figures").exists()
    status, out, _ = build(figure, "--preset", "smoke", "--executor", "serial")
    assert status == 0
    assert "computed 1 runs, reused 2" in out


@pytest.mark.slow
def test_killed_three_times_it_ends_with_the_same_table(tmp_path):
    """SIGKILL at random moments of a real figure's build; then the same command to its end."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    name = "linear_convergence"
    began = time.monotonic()
    process = start(name, whole, "--executor", "serial")
    _, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (0, "")
    duration = time.monotonic() - began
    moments = random.Random(time.time_ns())
    for _ in range(3):
        process = start(name, killed, "--jobs", "2")
        time.sleep(moments.uniform(0.0, duration))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    process = start(name, killed, "--executor", "serial")
    _, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (0, "")
    table = f"figures/{name}.csv"
    assert (killed / table).read_bytes() == (whole / table).read_bytes()
    assert not list(killed.rglob("figures/*.tmp"))


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_parent(tmp_path, toy_with):
    figure = toy_with(touch=str(tmp_path), sleep=600.0)
    process = start(figure, tmp_path, "--jobs", "2")
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
    process.kill()
    # The workers hold the other end of stderr: it closes when the last of them is gone.
    process.communicate(timeout=60)


def test_interrupt_of_a_pool_resumes(tmp_path, toy_with):
    figure = toy_with(touch=str(tmp_path), sleep=600.0)
    process = start(figure, tmp_path, "--jobs", "2")
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
    os.killpg(process.pid, signal.SIGINT)  # to the whole group, as the terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == "interrupted: finished runs are kept, the same command goes on\n"


@pytest.mark.slow
def test_workers_ignore_an_interrupt_that_the_parent_ignores(tmp_path, toy_with):
    """As with `nohup ... &`: otherwise the workers die of it and the build fails."""
    figure = toy_with(touch=str(tmp_path), sleep=1.0)
    process = start(figure, tmp_path, "--jobs", "2", on_interrupt=signal.SIG_IGN)
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_workers_share_the_processors_out(tmp_path, toy_with, build):
    """With as many workers as processors each has one thread, set before numpy and torch load."""
    path = toy_with(steps=1)
    text = path.read_text()
    count = "import os, torch; n = torch.get_num_threads(); v = os.environ['OPENBLAS_NUM_THREADS']"
    text = text.replace("    time.sleep(", f"    {count}\n    time.sleep(")
    text = text.replace('"walk": walk(run.seed', '"walk": [n, float(v)] or walk(run.seed')
    path.write_text(text)
    jobs = max(2, default_jobs())
    assert build(path, "--preset", "smoke", "--jobs", jobs)[0] == 0
    rows = from_csv((tmp_path / "figures/toy.csv").read_text())
    assert {row["position"] for row in rows} == {1}


def test_the_command_line_loads_no_threaded_library():
    """Workers import it before their numbers of threads are set."""
    code = "import sys, paper_figures.__main__; print({'numpy', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n"
