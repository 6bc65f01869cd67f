"""Every command shows examples; all of them parse, and those that take seconds run."""

import argparse
import contextlib
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import theory
from numerics.__main__ import main as numerics_main
from numerics.__main__ import parser as numerics_parser
from numerics.networks.perceptrons import mlp
from paper_figures.__main__ import main as figures_main
from paper_figures.__main__ import parser as figures_parser
from theory.__main__ import main as theory_main
from theory.__main__ import parser as theory_parser
from theory.soundness.__main__ import main as soundness_main
from theory.soundness.__main__ import parser as soundness_parser

PROGRAMS = {
    "theory": (theory_main, theory_parser),
    "theory.soundness": (soundness_main, soundness_parser),
    "numerics": (numerics_main, numerics_parser),
    "paper_figures": (figures_main, figures_parser),
}
#: How each is called in a shell.
CALLED = {
    "sam-prove": "theory",
    "sam-measure": "numerics",
    "sam-figures": "paper_figures",
    "python -m theory.soundness": "theory.soundness",
}
#: Words that make an example take minutes, or need what a test has not.
DEAR = ("mnist-mlp", "mnist-lsq", "all", "stability_map", "report", "claims", "laptop", "cuda")
DEAR += ("verify",)  # which needs a build by older code
WHOLE = ("theory check", "theory check --jobs 2", "numerics check")


def grammars(module):
    """The grammar of a program and of each of its commands."""
    parser = PROGRAMS[module][1]()
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += action.choices.values()
    return found


def examples(text):
    """The arguments of the examples in a help text, as a shell splits them."""
    _, marker, lines = text.partition("examples:\n")
    assert marker
    for line in lines.splitlines():
        (name,) = (name for name in CALLED if line.startswith(f"  {name}"))
        words = shlex.split(line.removeprefix(f"  {name}"))
        ends = [words.index(sign) for sign in (">", "|") if sign in words]
        yield CALLED[name], words[: min(ends, default=None)]


EVERY = [
    (module, arguments)
    for program in PROGRAMS
    for grammar in grammars(program)
    for module, arguments in examples(grammar.format_help())
]
CHEAP = [
    pytest.param(module, arguments, id=" ".join([module, *arguments]))
    for module, arguments in dict.fromkeys((m, tuple(a)) for m, a in EVERY)
    if module != "theory.soundness"  # has tests of its own
    and not set(DEAR) & set(arguments)
    and " ".join([module, *arguments]) not in WHOLE
]


@pytest.mark.parametrize("module", PROGRAMS)
def test_every_command_shows_examples_of_itself(module):
    for grammar in grammars(module):
        text = grammar.format_help()
        own = list(examples(text))
        (called,) = (name for name, one in CALLED.items() if one == module)
        assert own and all(
            m == module and " ".join([called, *a]).startswith(grammar.prog) for m, a in own
        )
        assert grammar.description, grammar.prog


def test_every_example_parses():
    assert len(EVERY) >= 25
    for module, arguments in EVERY:
        PROGRAMS[module][1]().parse_args(arguments)


@pytest.fixture
def place(root, tmp_path, monkeypatch):
    """A folder with the files that the examples name."""
    shutil.copytree(root / "examples", tmp_path / "examples")
    claim = "from theory.library.sgd_pl_linear import THEOREM"
    (tmp_path / "my_theorem.py").write_text(claim)
    shutil.copy(root / "tests/paper_figures/toy.py", tmp_path / "my_figure.py")
    text = (tmp_path / "my_figure.py").read_text().replace('name="toy"', 'name="my_figure"')
    (tmp_path / "my_figure.py").write_text(text)
    problem = "from numerics.confrontations.cases import gaussian as case"
    (tmp_path / "my_problem.py").write_text(problem)
    network = (
        "from numerics.networks.perceptrons import mlp\ndef model():\n    return mlp((3, 4, 1))"
    )
    (tmp_path / "my_network.py").write_text(network)
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "my_data.npz", inputs=rng.normal(size=(9, 3)), targets=rng.normal(size=(9, 1))
    )
    torch.save(mlp((3, 4, 1), seed=1).state_dict(), tmp_path / "my_weights.pt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("module", "arguments"), CHEAP)
def test_cheap_examples_run(module, arguments, place, capsys):
    if "--redraw" in arguments:
        built = [word for word in arguments if word != "--redraw"]
        assert figures_main([*built, "--preset", "smoke"]) == 0
    assert PROGRAMS[module][0](arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "command", "typed", "wanted"),
    [
        ("theory", "sam-prove", "check sam-pl-linear-pub", "sam-pl-linear-published"),
        ("theory", "sam-prove", "explain --la", "--latex"),
        ("numerics", "sam-measure", "hessian --rad", "--radius"),
        ("numerics", "sam-measure", "check sgd-pl-l", "sgd-pl-linear"),
        ("paper_figures", "sam-figures", "build sharper", "sharper_bounds"),
    ],
)
def test_the_shell_completes(module, command, typed, wanted, capsys):
    with contextlib.suppress(SystemExit):
        assert PROGRAMS[module][0](["--print-completion", "bash"]) == 0
    words = shlex.join([command, *typed.split()])
    question = f"""{capsys.readouterr().out}
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
function=$(complete -p {command} | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
$function {command} "${{COMP_WORDS[-1]}}" {command}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", question], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [wanted], done.stderr


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script_too(shell, capsys):
    with pytest.raises(SystemExit):
        theory_main(["--print-completion", shell])
    assert "sam-prove" in capsys.readouterr().out


@pytest.mark.parametrize("module", ["theory", "numerics", "paper_figures"])
def test_version(module):
    command = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"sam-theory {theory.__version__}\n"


def test_help_of_measurements_does_not_wait_for_torch():
    code = "import sys; from numerics.__main__ import parser; parser().format_help(); "
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
