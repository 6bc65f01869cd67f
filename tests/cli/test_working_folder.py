"""No module of the working folder reaches the kernel's process, whoever has written it there."""

import importlib.util
import json
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

import theory
from theory import _entry

#: A false theorem whose file first plants one module of every name that Python or a library has.
EVIL = """
import os, sys
from pathlib import Path
from importlib.metadata import packages_distributions
from theory.trusted.certificates import NOTHING
from theory.trusted.terms import Const, Param
from theory.trusted.statements import Attribution, Kind, Step, Source, Theorem

{plant}
p = Param("p")
THEOREM = Theorem("false", "p is at most p - 1", "", Source("me", "", Attribution.DERIVED),
                  Kind.UPPER_BOUND, (), (), (Step("c", p + 1 <= p, NOTHING, ""),), ("c",))
"""
PLANT = """
names = {*sys.stdlib_module_names, *packages_distributions(), "z3", "sitecustomize",
         "usercustomize", "rich", "flint", "readline", "msvcrt"} - {"theory"} - {*KEPT}
for name in names:
    Path(name + ".py").write_text(
        "import os, pathlib\\npathlib.Path(os.environ['MARKERS'], __name__).touch()\\n"
        "import theory.opinions as c, theory.trusted.kernel as k\\n"
        "c.combine = lambda _: c.Status.PROVED\\nraise ImportError\\n")
for name in ("libz3.so", "libz3.so.5.4", "libz3.so.4"):
    Path(name).write_text("no library")
for name in ("coqc", ".coqrc", "theorem.v", "Reals.vo", "Lra.v"):
    Path(name).write_text("#!/bin/sh\\ntouch $MARKERS/coqc\\necho Closed under the global context")
    Path(name).chmod(0o755)
"""


@pytest.fixture
def hostile(tmp_path):
    """A folder with the file, and what runs a command there and says what it left."""
    place, markers = tmp_path / "place", tmp_path / "markers"
    place.mkdir(), markers.mkdir()
    # what Python imports before the toolkit has any say is out of its reach
    early = "import runpy, importlib.util, sys; print(*sys.modules)"
    kept = subprocess.run(
        [sys.executable, "-c", early], capture_output=True, text=True, check=True
    ).stdout.split()
    plant = PLANT.replace("KEPT", repr([name for name in kept if "." not in name]))
    (place / "evil.py").write_text(EVIL.format(plant=plant))

    def run(*command, program=("-m", "theory"), **more):
        environment = os.environ | {"MARKERS": str(markers)} | more
        done = subprocess.run(
            [sys.executable, *program, *command],
            cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert sorted(path.name for path in markers.iterdir()) == []
        assert program[0] != "-m" or command[0] == "list" or (place / "z3.py").exists()
        return done

    return run


@pytest.mark.slow
def test_nothing_that_a_file_plants_is_imported(hostile):
    commands = (
        ("check", "evil.py", "--checkers", "kernel,z3,coq", "--json"),
        ("check", "evil.py", "--json", "--jobs", "2"),
        ("explain", "evil.py", "--json"),
        ("check", "evil.py", "--checkers", "kernel,z3,coq", "--json"),  # with all of it in place
    )
    for command in commands:
        done = hostile(*command, PATH=f".:{os.environ['PATH']}:")
        assert done.returncode == 1, done.stderr
        (entry,) = json.loads(done.stdout)["theorems"]
        assert entry["status"] != "proved" and entry["checkers"]["kernel"] == "undecided"
        assert "error" not in entry["checkers"].values(), entry["reasons"]
    for form in ((), ("--latex",), ("--coq",)):
        assert hostile("explain", "evil.py", *form).returncode == 1
    assert hostile("check", "evil.py").returncode == 1
    assert hostile("list").returncode == 0


@pytest.mark.slow
def test_nor_where_the_theorem_is_measured(hostile):
    asked = ("check", "evil.py", "sgd-pl-linear", "sam-stability-s2", "--problem", "gaussian-lsq")
    done = hostile(*asked, program=("-m", "numerics"))
    assert done.returncode == 0, done.stderr
    assert "3 verdicts: 2 consistent, 0 violated, 1 inconclusive" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_nor_by_processes_that_are_started_afterwards(hostile, tmp_path, method):
    script = tmp_path / "run.py"
    script.write_text(
        "import multiprocessing, sys\nfrom theory.__main__ import main\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method({method!r})\n    sys.exit(main(sys.argv[1:]))\n"
    )
    command = ("check", "evil.py", "sgd-pl-linear", "--jobs", "2", "--json")
    for _ in range(2):
        done = hostile(*command, program=(str(script),))
        assert done.returncode == 1, done.stderr
        statuses = [entry["status"] for entry in json.loads(done.stdout)["theorems"]]
        assert statuses == ["undecided", "proved"]


def test_from_python_a_file_is_read_after_all_that_is_needed_is_imported(tmp_path):
    """In a notebook the working folder stays on the path; what the file plants comes too late."""
    markers = tmp_path / "markers"
    markers.mkdir()
    (tmp_path / "evil.py").write_text(EVIL.format(plant=PLANT.replace("KEPT", "[]")))
    script = (
        "import sys, theory, theory.registry as registry\n"
        "from theory.opinions import available, examine\n"
        "run, before = registry._run, set()\n"
        "def watched(*given):\n"
        "    before.update(sys.modules)\n"
        "    return run(*given)\n"
        "registry._run = watched\n"
        "found = theory.load_file('evil.py')\n"
        "verdict = examine(found[0], available())\n"
        "print(verdict.status.value)\n"
        "print(*{name.partition('.')[0] for name in {*sys.modules} - before})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env=os.environ | {"MARKERS": str(markers)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    status, imported = done.stdout.split("\n")[:2]
    assert status in ("undecided", "refuted") and imported == ""
    assert list(markers.iterdir()) == []


def test_a_stale_file_of_bytecode_is_not_read(tmp_path):
    """Same size and same second: Python would take the bytecode for that of the file."""
    file = tmp_path / "mine.py"
    good = "from theory.library.sgd_pl_linear import THEOREM\n"
    other = "raise SystemExit('the stale one')".ljust(len(good) - 1) + "\n"
    assert len(good) == len(other)
    file.write_text(other)
    cache = importlib.util.cache_from_source(str(file))
    py_compile.compile(str(file), cache)
    stamp = file.stat()
    file.write_text(good)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert [t.id for t in theory.load_file(file)] == ["sgd-pl-linear"]


def test_a_file_finds_what_lies_beside_it_and_in_the_working_folder(tmp_path, monkeypatch):
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        (folder / "json.py").write_text("raise SystemExit('a module was replaced')")
    (beside / "helper.py").write_text("from theory.library.sgd_pl_linear import THEOREM")
    (here / "other.py").write_text("")
    (beside / "mine.py").write_text("import json, other\nfrom helper import THEOREM\n")
    monkeypatch.chdir(here)
    assert [t.id for t in theory.load_file("../beside/mine.py")] == ["sgd-pl-linear"]


@pytest.mark.parametrize(
    ("argv", "original", "is_it"),
    [
        (["-m", "check"], ["python", "-m", "theory", "check"], True),
        (["-m"], ["python", "-X", "dev", "-mtheory"], True),
        (["-m", "x"], ["python", "-Bmtheory", "x"], True),
        (["-m"], ["python", "-m", "theory.soundness"], False),
        (["-m", "theory"], ["python", "-m", "numerics", "theory"], False),
        (["-m"], ["python", "-m", "mytheory"], False),
        (["-c"], ["python", "-c", "theory"], False),
        ([""], ["python"], False),
    ],
)
def test_only_the_program_leaves_the_working_folder(monkeypatch, argv, original, is_it):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    assert _entry.is_the_program() is is_it


def test_a_checkout_that_is_not_installed_comes_after_the_library(monkeypatch):
    library = ["/lib/python3.zip", "/lib/python3", "/venv/site-packages", "/else"]
    for first, left in (
        ("/somewhere", library),
        (_entry.HOME, [*library[:2], _entry.HOME, *library[2:]]),
    ):
        monkeypatch.setattr(sys, "path", [first, *library])
        _entry.leave_working_folder()
        assert sys.path == left


def test_z3_loads_the_library_that_it_came_with(tmp_path):
    """By itself z3 takes one from the working folder before its own."""
    z3 = pytest.importorskip("z3")
    for own in Path(z3.__file__).parent.glob("lib/libz3.*"):
        (tmp_path / own.name).symlink_to(own)
    assert any(tmp_path.iterdir())
    script = (
        "import ctypes; from theory import opinions; load, seen = ctypes.CDLL, []\n"
        "ctypes.CDLL = lambda name, *more: seen.append(name) or load(name, *more)\n"
        "{}import z3; print(seen[-1])"
    )
    for before, taken in (("", tmp_path), ("opinions.fix(); ", Path(z3.__file__).parent)):
        done = subprocess.run(
            [sys.executable, "-P", "-c", script.format(before)],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert Path(done.stdout.strip()).is_relative_to(taken)
