"""The sdist rebuilds; the wheel runs in an environment that holds nothing but what it declares.

The environment has no packages of its own: each distribution that the wheel declares, and each that
those declare, is linked from where the tests run.  Nothing is downloaded, and whatever the tests'
environment has beyond the declared dependencies cannot be imported.
"""

import json
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import theory

pytestmark = pytest.mark.slow

PACKAGES = ("theory", "numerics", "paper_figures")
IGNORED = ("__pycache__", ".ipynb_checkpoints")


def run(*command, cwd, check=True):
    """Run a command without the variables that could lend it modules of the tests' environment."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    """The sdist, and the wheel built from that sdist alone."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, root, cwd=root)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def closure(names):
    """The distributions that these declare, and those in turn, extras left out."""
    found, waiting = {}, list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        for line in found[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


@pytest.fixture(scope="module")
def clean(built, tmp_path_factory):
    """The programs of an environment in which the wheel is installed, and a place elsewhere."""
    place = tmp_path_factory.mktemp("clean")
    venv.create(place / "env", with_pip=False, symlinks=True)
    (packages,) = (place / "env/lib").glob("python*/site-packages")
    with zipfile.ZipFile(built[1]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        lines = wheel.read(name).decode().splitlines()
    declared = [
        Requirement(line.partition(": ")[2]) for line in lines if line.startswith("Requires-Dist:")
    ]
    needed = [r.name for r in declared if r.marker is None or r.marker.evaluate({"extra": ""})]
    assert sorted(needed) == ["matplotlib", "mpmath", "numpy", "rich", "scipy", "sympy", "torch"]
    for distribution in closure(needed).values():
        for part in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            link = packages / part
            if not link.exists():
                link.symlink_to(distribution.locate_file(part))
    python = place / "env/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", built[1], cwd=place)
    return place / "env/bin", place


def test_the_names_and_the_citation_say_one_version(built, root):
    sdist, wheel = built
    assert sdist.name == f"sam_theory-{theory.__version__}.tar.gz"
    assert wheel.name == f"sam_theory-{theory.__version__}-py3-none-any.whl"
    assert f"\nversion: {theory.__version__}\n" in (root / "CITATION.cff").read_text()


def test_the_wheel_holds_the_packages_and_the_data_and_nothing_else(built, root):
    with zipfile.ZipFile(built[1]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = {
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and not set(IGNORED) & set(path.parts)
    }
    data = {f"numerics/_data/mnist/{path.name}" for path in (root / "data/mnist").iterdir()}
    assert held == modules | data
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_the_sdist_holds_what_it_takes_to_build_test_and_document(built, root):
    with tarfile.open(built[0]) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {
        path.relative_to(root).as_posix()
        for folder in (*PACKAGES, "tests", "docs", "examples", "benchmarks", "data")
        for path in (root / folder).rglob("*")
        if path.is_file() and not set(IGNORED) & set(path.parts)
    }
    files = ("Makefile", "pyproject.toml", "constraints-cpu.txt", "README.md", "CHANGELOG.md")
    assert wanted | {*files, "CONTRIBUTING.md", "CITATION.cff", "LICENSE"} <= held


def test_the_environment_is_clean(clean):
    binaries, place = clean
    code = "import theory, numerics, paper_figures; print(theory.__file__)"
    said = run(binaries / "python", "-c", code, cwd=place).stdout
    assert Path(said.strip()).is_relative_to(place)
    for library in ("cvxpy", "z3", "flint", "shtab", "distributed", "submitit", "pytest"):
        done = run(binaries / "python", "-c", f"import {library}", cwd=place, check=False)
        assert "ModuleNotFoundError" in done.stderr, library


def test_sam_prove(clean):
    binaries, place = clean
    document = json.loads(run(binaries / "sam-prove", "check", "--json", cwd=place).stdout)
    assert len(document["theorems"]) == len(theory.load())
    asked = ("check", "sgd-pl-linear", "--checkers", "kernel,z3")
    assert "z3 skipped (absent)" in run(binaries / "sam-prove", *asked, cwd=place).stdout
    shown = run(binaries / "sam-prove", "--help", cwd=place).stdout
    assert "\n  sam-prove check sam-pl-linear" in shown


def test_sam_measure(clean):
    binaries, place = clean
    network = ("hessian", "--model", "mlp:49-4-10", "--data", "mnist:10:4", "--json")
    report = json.loads(run(binaries / "sam-measure", *network, cwd=place).stdout)
    assert report["parameters"] == 49 * 4 + 4 + 4 * 10 + 10
    check = ("check", "sam-pl-linear", "--problem", "mnist-lsq", "--json")
    document = json.loads(run(binaries / "sam-measure", *check, cwd=place).stdout)
    assert [verdict["outcome"] for verdict in document["verdicts"]] == ["consistent"]


def test_sam_figures(clean):
    binaries, place = clean
    assert "linear_convergence" in run(binaries / "sam-figures", "list", cwd=place).stdout
    build = ("build", "sharper_bounds", "--preset", "smoke", "--executor", "serial")
    assert "computed" in run(binaries / "sam-figures", *build, cwd=place).stdout
    assert (place / "figures/sharper_bounds.pdf").is_file()


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("sam-prove", "--print-completion", "bash"), "completion"),
        (("sam-figures", "build", "sharper_bounds", "--executor", "dask"), "dask"),
        (("sam-figures", "build", "sharper_bounds", "--executor", "slurm"), "slurm"),
        (("sam-prove", "check", "mine.py"), "solvers"),
    ],
)
def test_what_needs_an_extra_says_so_in_one_line(clean, command, extra):
    binaries, place = clean
    (place / "mine.py").write_text("from theory.messages import optional\noptional('cvxpy')\n")
    done = run(binaries / command[0], *command[1:], cwd=place, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"pip install 'sam-theory[{extra}]'" in done.stderr
