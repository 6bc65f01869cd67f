"""Where runs are computed: any `concurrent.futures.Executor`, in this process or in others."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from paper_figures.clusters import dask_executor, slurm_executor

__all__ = ["EXECUTORS", "HERE", "SerialExecutor", "default_jobs", "make_executor"]


class SerialExecutor(Executor):
    """Computes each task in `submit`, in this process; an interrupt passes straight through."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` now; the future that comes back is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def default_jobs() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_executor(name: str, jobs: int) -> Executor:
    """The executor of that name.

    An entry of `EXECUTORS` is all that another back end takes: whatever follows `NAME://` in the
    name, an address for instance, is handed to it.

    Args:
        name: `serial` (this process), `local` (`jobs` processes), `dask` (a cluster of `jobs`
            processes), `dask://HOST:PORT` (a running scheduler), `slurm` or
            `slurm://PARTITION?timeout_min=240&gpus_per_node=1` (parameters of submitit).
        jobs: how many runs may be computed at the same time.

    Raises:
        ValueError: if the name is not known, jobs is not positive, or the back end is not there.
    """
    if jobs < 1:
        raise ValueError(f"--jobs {jobs}: give 1 or more")
    scheme, _, address = name.partition("://")
    if scheme not in EXECUTORS:
        known = ", ".join(sorted(EXECUTORS))
        raise ValueError(f"executor {name!r} is not known: use one of {known}")
    return EXECUTORS[scheme](address, jobs)


def _serial(address: str, jobs: int) -> Executor:
    return SerialExecutor()


def _local(address: str, jobs: int) -> Executor:
    if jobs == 1:
        return SerialExecutor()
    # Forking a process in which torch has started threads can hang: workers start afresh.
    return concurrent.futures.ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(max(1, default_jobs() // jobs),),
    )


def _start_worker(threads: int) -> None:
    """Share the processors out, stop at once on Ctrl-C, and never outlive the parent.

    Where interrupts are ignored, as in a shell's background, workers ignore them like the parent.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


#: Name -> (address, jobs) -> executor.
EXECUTORS: dict[str, Callable[[str, int], Executor]] = {
    "dask": dask_executor,
    "local": _local,
    "serial": _serial,
    "slurm": slurm_executor,
}
#: Those that compute on this machine.
HERE = ("dask", "local", "serial")
