"""What a user can get wrong: one line that names value and remedy, status 2, no traceback."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from numerics.__main__ import main as numerics_main
from paper_figures.__main__ import main as figures_main
from theory import commandline, messages
from theory.__main__ import main as theory_main
from theory.soundness.__main__ import main as soundness_main

MAINS = {
    "theory": theory_main,
    "soundness": soundness_main,
    "numerics": numerics_main,
    "figures": figures_main,
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A folder of files with one fault each, named after it."""
    folder = tmp_path_factory.mktemp("broken")
    rng = np.random.default_rng(0)
    good = {"inputs": rng.normal(size=(6, 3)), "targets": rng.normal(size=(6, 1))}
    archives = {
        "good": {},
        "nan": {"inputs": np.full((6, 3), np.nan)},
        "objects": {"inputs": np.array([{}, []], dtype=object)},
        "complex": {"inputs": good["inputs"] * 1j},
        "text": {"inputs": np.array(["a", "b"])},
        "number": {"inputs": np.float64(3)},
        "fewer": {"targets": good["targets"][:5]},
        "wider": {"targets": rng.normal(size=(6, 2))},
        "words": {"inputs": np.array([[0, 1], [9, 2]]), "targets": np.zeros((2, 1))},
        "huge": {"inputs": np.full((6, 3), np.finfo(np.longdouble).max)},
        "none": {"inputs": np.zeros((0, 3)), "targets": np.zeros((0, 1))},
    }
    for name, arrays in archives.items():
        np.savez(folder / f"{name}.npz", **good | arrays)
    np.savez(folder / "half.npz", inputs=good["inputs"])
    (folder / "truncated.npz").write_bytes((folder / "good.npz").read_bytes()[:200])
    (folder / "empty.npz").touch()
    (folder / "words.pt").write_text("not weights")
    torch.save([1, 2], folder / "list.pt")
    torch.save({"0.weight": torch.zeros(2, 2)}, folder / "small.pt")
    (folder / "syntax.py").write_text("x = (")
    (folder / "empty.py").touch()
    (folder / "number.py").write_text("THEOREM = 3")
    (folder / "typo.py").write_text("import sympyy")
    (folder / "leaves.py").write_text("import sys\nsys.exit(3)")
    (folder / "deep.py").write_text("def f():\n    raise ValueError('no such\\n thing')\n\nf()")
    network = "from torch import nn\ndef model():\n    return nn.Sequential"
    (folder / "raises.py").write_text("def model():\n    return {}['no']")
    (folder / "wide.py").write_text(f"{network}(nn.Linear(9, 1))")
    (folder / "drops.py").write_text(f"{network}(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1))")
    own = "import torch\nclass Own(torch.nn.Sequential):\n    def forward(self, x{}):\n        {}\n"
    made = "def model():\n    return Own({})"
    layers = "torch.nn.Linear(3, 1)"
    for name, argument, body in (
        ("two", ", mask", "return super().forward(x)"),
        ("name", "", "return undefined(x)"),
        ("root", "", "return (0 * super().forward(x)).sqrt()"),
    ):
        (folder / f"{name}.py").write_text(own.format(argument, body) + made.format(layers))
    table = "torch.nn.Embedding(5, 1)"
    body = "\n        return super().forward(x).mean(1)"
    (folder / "words.py").write_text("\n" + own.format("", body.strip()) + made.format(table))
    (folder / "silent.py").write_text("import os\nos._exit(3)")
    (folder / "folder.py").mkdir()
    (folder / "list.json").write_text("[1, 2]")
    (folder / "other.json").write_text('{"theorems": [{"theorem": {"is": "Recipe"}}]}')
    (folder / "none.json").write_text('{"theorems": []}')
    return folder


HESSIAN = "hessian --model mlp:3-4-1 --data"
TABLE = [
    # names that are nearly right, and names that are not
    ("theory", "check sam-pl-lienar", "did you mean 'sam-pl-linear'"),
    ("theory", "explain zzz", "unknown theorem 'zzz': `sam-prove list` names them"),
    ("theory", "check --checkers cog", "unknown checker 'cog': did you mean 'coq'?"),
    ("theory", "check --checkers ,", "--checkers names none: choose from kernel, z3, coq"),
    ("theory", "chekc", "invalid choice: 'chekc'"),
    ("soundness", "sgd-pl-liner", "did you mean 'sgd-pl-linear'"),
    ("soundness", "--fuzz -1", "--fuzz -1: give at least 0"),
    ("soundness", "--jobs 0", "--jobs 0: give at least 1"),
    ("numerics", "check sgd-pl-liner", "did you mean 'sgd-pl-linear'"),
    ("numerics", "check --problem mnist-mpl", "did you mean 'mnist-mlp'"),
    ("numerics", "check --problem nowhere.py", "problem file nowhere.py does not exist"),
    ("numerics", "check --problem syntax.py", "cannot be loaded (line 1: SyntaxError"),
    ("numerics", "check --problem number.py", "give it case(device, seeds) -> Case"),
    ("numerics", "check --problem", "argument --problem: expected at least one argument"),
    ("figures", "build stability_mop", "did you mean 'stability_map'"),
    ("figures", "build sharper_bounds --preset small", "use smoke, laptop, paper"),
    ("figures", "build sharper_bounds --executor clod", "use one of dask, local, serial, slurm"),
    # files
    ("theory", "check syntax.py", "syntax.py: line 1: SyntaxError"),
    ("theory", "check empty.py", "py: define THEOREM or THEOREMS"),
    ("theory", "check number.py", "py: define THEOREM or THEOREMS"),
    ("theory", "check typo.py", "typo.py: line 1: ModuleNotFoundError: No module named 'sympyy'"),
    ("theory", "check folder.py", "folder.py: a folder, give a file"),
    ("theory", "check leaves.py", "leaves.py: it ended the program (exit status 3)"),
    ("theory", "check deep.py", "deep.py: line 2: ValueError: no such thing"),
    ("theory", "check silent.py", "silent.py: it failed without a message"),
    ("theory", "explain nowhere.py", "nowhere.py: no such file"),
    ("theory", "check nowhere.json", "nowhere.json: no such file"),
    ("theory", "check list.json", "write it with `sam-prove explain ID --json`"),
    ("theory", "check other.json", "other.json: there is no type 'Recipe' in the language"),
    ("theory", "check none.json", "none.json: no document with statements"),
    ("numerics", "check syntax.py", "syntax.py: line 1: SyntaxError"),
    ("numerics", "check empty.py", "py: define THEOREM or THEOREMS"),
    ("numerics", "check leaves.py", "leaves.py: it ended the program (exit status 3)"),
    ("numerics", "check nowhere.py", "nowhere.py: no such file"),
    ("numerics", "check list.json", "write it with `sam-prove explain ID --json`"),
    ("figures", "build folder.py", "does not exist: give the path of a Python file"),
    ("figures", "build syntax.py", "cannot be loaded (line 1: SyntaxError"),
    ("numerics", f"{HESSIAN} nowhere.npz", "write mnist:60:4 or name a .npz file"),
    ("numerics", f"{HESSIAN} empty.npz", "it is no NumPy archive): write it with numpy.savez"),
    ("numerics", f"{HESSIAN} truncated.npz", "it is no NumPy archive"),
    ("numerics", f"{HESSIAN} half.npz", "no array 'targets'"),
    ("numerics", f"{HESSIAN} objects.npz", "Object arrays cannot be loaded"),
    ("numerics", f"{HESSIAN} complex.npz", "inputs is no array of real numbers"),
    ("numerics", f"{HESSIAN} text.npz", "inputs is no array of real numbers"),
    ("numerics", f"{HESSIAN} number.npz", "inputs is no array of real numbers"),
    ("numerics", f"{HESSIAN} nan.npz", "inputs has 18 NaN or infinite entries"),
    ("numerics", f"{HESSIAN} none.npz", "give at least one sample"),
    ("numerics", f"{HESSIAN} fewer.npz", "has 6 inputs and 5 targets: give one for each"),
    ("numerics", f"{HESSIAN} wider.npz", "change the last width"),
    ("numerics", f"{HESSIAN} good.npz --weights no.pt", "no.pt: no such file with weights"),
    ("numerics", f"{HESSIAN} good.npz --weights words.pt", "words.pt holds no weights"),
    ("numerics", f"{HESSIAN} good.npz --weights list.pt", "list.pt does not fit mlp:3-4-1"),
    ("numerics", f"{HESSIAN} good.npz --weights small.pt", "Missing key(s) in state_dict"),
    # numbers
    ("numerics", f"{HESSIAN} good.npz --batch-size 7", "batch_size is 7: it must be in 1 ... 6"),
    ("numerics", f"{HESSIAN} good.npz --batch-size 1.5", "invalid int value: '1.5'"),
    ("numerics", f"{HESSIAN} good.npz --step-size inf", "step_size is inf: give a finite number"),
    ("numerics", f"{HESSIAN} good.npz --loss hinge", "choose one of square, cross-entropy"),
    ("numerics", f"{HESSIAN} good.npz --device gpu", "choose auto, cpu or cuda"),
    ("numerics", f"{HESSIAN} mnist:5:3", "pool is 3: choose a divisor of 28"),
    ("numerics", "hessian --model mlp:3-²-1 --data good.npz", "write it like mlp:49-24-10"),
    ("numerics", "hessian --model mlp:3-99999-1 --data good.npz", "GiB"),
    ("numerics", f"{HESSIAN} good.npz --step-size -1", "step_size is -1: it must be at least 0"),
    ("numerics", f"{HESSIAN} good.npz --radius nan", "radius is nan: give a finite number"),
    ("numerics", f"{HESSIAN} mnist:0:4", "n is 0: it must be at least 1"),
    ("numerics", f"{HESSIAN} mnist:9:4", "has (49,): change the first width"),
    ("numerics", "hessian --model resnet --data mnist:9:4", "write it like mlp:49-24-10"),
    ("numerics", "hessian --model nowhere.py --data good.npz", "model file nowhere.py does not"),
    ("numerics", "hessian --model syntax.py --data good.npz", "line 1: SyntaxError"),
    ("numerics", "hessian --model number.py --data good.npz", "give it model() -> torch.nn.Module"),
    ("numerics", "hessian --model raises.py --data good.npz", "model() failed (line 2: KeyError"),
    ("numerics", "hessian --model wide.py --data good.npz", "wide.py does not fit good.npz: mat1"),
    ("numerics", "hessian --model drops.py --data good.npz", "call model.eval()"),
    ("numerics", "hessian --model two.py --data good.npz", "required positional argument: 'mask'"),
    ("numerics", "hessian --model name.py --data good.npz", "line 4: NameError: name 'undefined'"),
    ("numerics", "hessian --model root.py --data good.npz", "NaN or infinite"),
    (
        "numerics",
        "hessian --model words.py --data words.npz",
        "does not fit words.npz: index out of range",
    ),
    ("numerics", f"{HESSIAN} huge.npz", "inputs has 18 NaN or infinite entries"),
    ("numerics", f"{HESSIAN} good.npz --memory-limit 1e-7", "memory_limit is"),
    ("numerics", f"{HESSIAN} good.npz --memory-limit 0", "memory_limit is 0: it must be above 0"),
    ("numerics", "check --device tpu", "unknown device 'tpu': choose auto, cpu or cuda"),
    ("numerics", "check --problem mnist-mlp --seeds 0", "seeds is 0: it must be at least 2"),
    ("theory", "check --jobs 0", "--jobs 0: give at least 1"),
    # places
    ("numerics", "check --svg good.npz/x.svg", "good.npz is not a folder: choose another"),
    ("figures", "build sharper_bounds --results good.npz/x", "good.npz is not a folder"),
    ("figures", "build sharper_bounds --redraw --out gone", "build sharper_bounds first"),
]


@pytest.mark.parametrize(("program", "line", "words"), TABLE)
def test_one_line(program, line, words, broken, monkeypatch, capfd):
    monkeypatch.chdir(broken)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as on most machines
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    before = sorted(broken.rglob("*"))
    try:
        status = MAINS[program](line.split())
    except SystemExit as stop:
        status = stop.code
    out, err = capfd.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    assert words in err
    assert sorted(broken.rglob("*")) == before


def test_protected_folders_are_refused_before_anything_is_computed(tmp_path, monkeypatch, capfd):
    # Permissions do not stop root, who may run the tests: ask as if they did.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    for program, line in (
        ("figures", f"build sharper_bounds --results {tmp_path}/results"),
        ("figures", f"build sharper_bounds --out {tmp_path}"),
        ("numerics", f"check --svg {tmp_path}/verdicts.svg"),
    ):
        assert MAINS[program](line.split()) == 2
        assert capfd.readouterr().err == (
            f"error: {tmp_path} is protected: change its permissions, or choose another folder\n"
        )


def test_a_file_that_the_system_refuses_is_one_line(capsys):
    def refuse():
        raise PermissionError(13, "Permission denied", "table.csv")

    assert commandline.ended(refuse) == 2
    assert capsys.readouterr().err == "error: table.csv: Permission denied\n"


def test_a_fault_of_the_toolkit_is_not_hidden():
    def fault():
        raise KeyError("a programming error")

    with pytest.raises(KeyError):
        commandline.ended(fault)


@pytest.mark.parametrize("library", sorted(messages.EXTRAS))
def test_each_missing_library_is_one_line_with_what_to_type(library, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed
    extra = messages.EXTRAS[library]
    assert commandline.ended(lambda: messages.optional(library) and 0) == 2
    line = f"error: {library} is not installed: pip install 'sam-theory[{extra}]'\n"
    assert capsys.readouterr().err == line


def test_extras_are_those_of_the_package(root):
    """Each library of the table comes with the extra that its message names."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    packages = {"flint": "python-flint", "z3": "z3-solver"}
    for library, extra in messages.EXTRAS.items():
        listed = [entry.partition(">")[0] for entry in project["optional-dependencies"][extra]]
        assert packages.get(library, library) in listed, library


def test_a_library_that_no_extra_brings_is_not_explained_away():
    with pytest.raises(ModuleNotFoundError, match="No module named 'sympyy'"):
        commandline.ended(lambda: messages.optional("sympyy") and 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments", "library"),
    [
        ("theory", "check needs_solver.py", "cvxpy"),
        ("theory", "--print-completion bash", "shtab"),
        ("paper_figures", "build sharper_bounds --executor dask", "distributed"),
        ("paper_figures", "build sharper_bounds --executor slurm", "submitit"),
    ],
)
def test_a_command_without_its_library(module, arguments, library, tmp_path):
    (tmp_path / "needs_solver.py").write_text("import cvxpy\n")
    # A module of that name, found first, that fails as an absent one does.
    absent = f"raise ModuleNotFoundError('No module named {library}', name={library!r})\n"
    (tmp_path / f"{library}.py").write_text(absent)
    place = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "pip install 'sam-theory[" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "theory check --checkers kernel,z3",
        "theory check --checkers kernel,z3 --jobs 2",
        "theory.soundness --fuzz 100",
        "numerics check",
    ],
)
def test_an_interrupt_ends_the_whole_group_without_a_traceback(command):
    process = subprocess.Popen(
        [sys.executable, "-m", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # were it ignored here
    )
    time.sleep(3)  # it is computing, and far from its end
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "interrupted" and "Traceback" not in err
