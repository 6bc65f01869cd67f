"""Executors on other machines: Dask and Slurm, each an optional extra of the package."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["DaskExecutor", "SubmititExecutor", "dask_executor", "slurm_executor"]

#: Where Slurm jobs exchange their input and output; on a file system that all nodes see.
JOB_FOLDER = Path("results") / ".slurm"
#: Seconds in which a scheduler has to answer.
CONNECT_WITHIN = 10


class DaskExecutor(Executor):
    """Runs on the workers of a Dask client; a run whose worker dies is given to another one."""

    def __init__(self, client: Any, cluster: Any = None) -> None:
        self._client, self._cluster = client, cluster
        # Not pure: a run that is wanted again (--force) has to be computed again.
        self._executor = client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send one call to the scheduler."""
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Drop what is not finished and disconnect; a cluster of our own ends."""
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


class SubmititExecutor(ThreadPoolExecutor):
    """Each call is a job of a `submitit` executor; a thread waits for each job.

    Args:
        executor: any executor of submitit.
        jobs: how many jobs may be queued or running at the same time.
    """

    def __init__(self, executor: Any, jobs: int) -> None:
        super().__init__(jobs, thread_name_prefix="job")
        self._submitit = executor
        self._lock = threading.Lock()
        self._active: set[Any] = set()
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue one job."""
        return super().submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel the jobs that nobody waits for any more."""
        with self._lock:
            self._closed = True
            for job in self._active:
                job.cancel()
        super().shutdown(wait, cancel_futures=True)

    def _run(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        with self._lock:
            if self._closed:
                raise RuntimeError("the build was interrupted before this job was queued")
            job = self._submitit.submit(fn, *args, **kwargs)
            self._active.add(job)
        try:
            return job.result()
        finally:
            with self._lock:
                self._active.discard(job)


def dask_executor(address: str, jobs: int) -> Executor:
    """The cluster at `address`, or a cluster of `jobs` processes here where there is none.

    Raises:
        ValueError: if Dask is not installed or no scheduler answers.
    """
    distributed = _optional("distributed", "dask")
    if address:
        try:
            return DaskExecutor(distributed.Client(f"tcp://{address}", timeout=CONNECT_WITHIN))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"no Dask scheduler answers at {address} ({type(error).__name__}): "
                "start one with `dask scheduler` and give dask://HOST:PORT"
            ) from None
    cluster = distributed.LocalCluster(
        n_workers=jobs,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    )
    return DaskExecutor(distributed.Client(cluster), cluster)


def slurm_executor(address: str, jobs: int) -> Executor:
    """Slurm jobs; `PARTITION?name=value&...` in the address sets submitit's parameters.

    Raises:
        ValueError: if submitit or Slurm is not installed, or a parameter is malformed or unknown.
    """
    submitit = _optional("submitit", "slurm")
    partition, _, query = address.partition("?")
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
        options = {name: int(value) if value.isdigit() else value for name, value in pairs}
        executor = submitit.AutoExecutor(folder=JOB_FOLDER, cluster="slurm")
        executor.update_parameters(**({"slurm_partition": partition} if partition else {}))
        executor.update_parameters(**options)
    except (RuntimeError, ValueError, NameError, TypeError) as error:
        what = " ".join(str(error).split())
        raise ValueError(f"executor slurm://{address} cannot be used: {what}") from None
    return SubmititExecutor(executor, jobs)


def _optional(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise ValueError(
            f"executor {extra} needs {module}: pip install 'sam-theory[{extra}]'"
        ) from None
