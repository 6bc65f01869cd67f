"""A second opinion from Coq: the theorem's file must compile and assume nothing new.

Accepted are the axioms on which the real numbers of Coq's standard library rest, and no other.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from theory.opinions import SKIPPED, Opinion
from theory.opinions.coq_theorem import document
from theory.opinions.ground import NoRefutation
from theory.opinions.obligations import Unstated
from theory.trusted.statements import Status, Theorem

__all__ = [
    "AXIOM",
    "AXIOMS_OF_THE_REALS",
    "CLOSED",
    "FOREIGN",
    "PLACE",
    "SECONDS",
    "CoqRun",
    "assumptions",
    "compile_file",
    "compiler",
    "fix",
    "opinion",
]

SECONDS = 180.0  # per theorem
AXIOMS_OF_THE_REALS = frozenset(
    {
        "ClassicalDedekindReals.sig_forall_dec",
        "ClassicalDedekindReals.sig_not_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "Classical_Prop.classic",
    }
)
#: Where coqc would look for files of other people's that its own library has not.
FOREIGN = frozenset({"COQPATH", "ROCQPATH", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS"})
CLOSED = "Closed under the global context"
AXIOM = re.compile(r"([A-Za-z_][\w.']*)( :.*)?")
PLACE = re.compile(r'File "[^"]*", line (\d+)')


@dataclass(frozen=True)
class CoqRun:
    """How a run of coqc ended; `code` is None if it was stopped."""

    code: int | None
    out: str
    err: str


@functools.cache
def compiler() -> str | None:
    """Where coqc is, or None; whichever it is, once and for all.

    Folders of PATH that are named from the working folder are passed over.
    """
    folders = filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep))
    return shutil.which("coqc", path=os.pathsep.join(folders))


def fix() -> None:
    """Look coqc up, or settle that it is absent."""
    compiler()


def opinion(theorem: Theorem, seconds: float = SECONDS) -> Opinion:
    """What Coq says of a theorem: proved, or refuted, if its file compiles without new axioms."""
    coqc = compiler()
    if coqc is None:
        return Opinion(SKIPPED, "absent: apt-get install coq")
    try:
        written = document(theorem)
    except (Unstated, NoRefutation) as reason:
        return Opinion(Status.UNDECIDED.value, str(reason))
    try:
        run = compile_file(coqc, written.text, seconds)
    except OSError as problem:
        return Opinion(Status.ERROR.value, f"coqc does not run: {problem}")
    if run.code is None:
        return Opinion(Status.UNDECIDED.value, f"coqc gave up after {seconds:g} s")
    if run.code != 0:
        return _failure(run, written.text)
    try:
        new = assumptions(run.out) - AXIOMS_OF_THE_REALS
    except ValueError as problem:
        return Opinion(Status.ERROR.value, str(problem))
    if new:
        return Opinion(Status.UNDECIDED.value, f"it rests on the axiom {min(new)}")
    verdict = Status.PROVED if theorem.refutation is None else Status.REFUTED
    return Opinion(verdict.value, f"{len(written.proved)} results, axioms of the reals only")


def compile_file(coqc: str, text: str, seconds: float) -> CoqRun:
    """Compile a file in a temporary folder, and stop everything that was started after a while."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if k not in FOREIGN}
        environment |= {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        Path(folder, "theorem.v").write_text(text, encoding="utf-8")
        with subprocess.Popen(
            [coqc, "-q", "theorem.v"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as child:
            try:
                out, err = child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                return CoqRun(None, "", "")
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
            return CoqRun(child.returncode, out, err)


def assumptions(out: str) -> frozenset[str]:
    """The axioms in the answer to one `Print Assumptions`.

    Raises:
        ValueError: if this is not what coqc printed, and nothing else.
    """
    lines = out.rstrip().splitlines()
    if lines == [CLOSED]:
        return frozenset()
    if not lines or lines[0] != "Axioms:" or len(lines) == 1:
        raise ValueError("coqc did not say what the results assume")
    found = set()
    for line in lines[1:]:
        if line.startswith(" "):
            continue
        match = AXIOM.fullmatch(line)
        if match is None:
            raise ValueError(f"coqc printed {line[:60]!r} among the axioms")
        found.add(match[1])
    return frozenset(found)


def _failure(run: CoqRun, text: str) -> Opinion:
    """A file that does not compile proves nothing; a coqc that breaks is an error."""
    lines = [line.strip() for line in run.err.splitlines() if line.strip()]
    errors = [i for i, line in enumerate(lines) if line.startswith("Error:")]
    if not errors or "Anomaly" in run.err:
        last = lines[-1] if lines else "no message"
        return Opinion(Status.ERROR.value, f"coqc ended with status {run.code}: {last}")
    message = " ".join(lines[errors[0] : errors[0] + 2]).removeprefix("Error:").strip()
    return Opinion(Status.UNDECIDED.value, f"{_where(run.err, text)}: {message[:200]}")


def _where(err: str, text: str) -> str:
    """The result in which coqc stopped."""
    place = PLACE.search(err)
    above = text.splitlines()[: int(place[1])] if place else []
    found = [line.split()[1] for line in above if line.startswith(("Lemma ", "Theorem "))]
    return found[-1] if found else "the file"
