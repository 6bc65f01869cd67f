"""Command line: confront theorems with measurements; report on a network's exact Hessian."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from theory import registry
from theory.commandline import NO_SANDBOX, Parser, ended

__all__ = ["main", "parser"]


def parser(
    prog: str = "", ids: Sequence[str] | None = None, problems: Sequence[str] | None = None
) -> Parser:
    """The command line's grammar; importing it does not import torch.

    Args:
        prog: the name of the program.
        ids: the only theorems that it takes; any by default.
        problems: the only problems that it takes; any by default.
    """
    main = Parser(
        prog=prog or "sam-measure",
        description="Measure what the theorems talk about.",
        examples=(
            "list",
            "check sgd-pl-linear --problem gaussian-lsq",
            "hessian --model mlp:49-24-10 --data mnist:60:4",
        ),
    )
    main.add_version_and_completion(completion)
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "list",
        help="the problems that theorems are confronted with",
        description="Name the problems that theorems are confronted with.",
        examples=("",),
    )
    check = commands.add_parser(
        "check",
        help="theorem by problem: consistent or violated?",
        description="Confront theorems with measurements.\n"
        "Exit status: 0 if nothing is violated, 1 if something is, 2 for bad input.\n"
        f"{NO_SANDBOX}",
        examples=(
            "",
            "sam-pl-linear sgd-pl-linear --problem gaussian-lsq mnist-lsq",
            "sam-stability-s2 --problem mnist-mlp --seeds 2 --json",
            "sgd-pl-linear --problem gaussian-lsq --svg verdicts.svg",
            "sam-pl-linear --problem my_problem.py",
            "my_theorem.py --problem gaussian-lsq",
        ),
    )
    check.add_argument(
        "theorems",
        nargs="*",
        choices=ids,
        metavar="ID|FILE",
        help="of the library, or a FILE.py or FILE.json with your own (default: the library)",
    )
    check.add_argument(
        "--problem",
        nargs="+",
        choices=problems,
        metavar="NAME|FILE.py",
        help="from those that `list` names, or a file with one of your own (default: all)",
    )
    check.add_argument("--device", default="cpu", help="auto, cpu or cuda (default: cpu)")
    check.add_argument("--seeds", type=int, default=5, metavar="N", help="trainings (default: 5)")
    form = check.add_mutually_exclusive_group()
    form.add_argument("--svg", metavar="FILE", help="also write the table as a picture")
    form.add_argument("--json", action="store_true", help="one JSON document on stdout")
    hessian = commands.add_parser(
        "hessian",
        help="exact spectrum, moments and stability",
        description="Exact spectrum of a network's Hessian, its moments a, s_2, s_3, s_4, and what "
        "they\nsay of stability. More on networks of your own: numerics.hessians, from Python.",
        examples=(
            "--model mlp:49-24-10 --data mnist:60:4",
            "--model mlp:49-8-10 --data mnist:20:4 --step-size 0.05 --radius 0.1 --batch-size 4",
            "--model mlp:49-8-10 --data mnist:20:4 --loss cross-entropy --json",
            "--model mlp:3-4-1 --data my_data.npz --weights my_weights.pt",
            "--model my_network.py --data my_data.npz --weights my_weights.pt --batch-size 8",
        ),
    )
    hessian.add_argument(
        "--model",
        required=True,
        metavar="mlp:IN-...-OUT|FILE.py",
        help="e.g. mlp:49-24-10 (tanh); or a file with model() -> torch.nn.Module",
    )
    hessian.add_argument(
        "--data",
        required=True,
        metavar="mnist:N[:POOL]|FILE.npz",
        help="N images averaged over POOL x POOL pixels, e.g. mnist:60:4; "
        "or an archive with the arrays inputs and targets",
    )
    hessian.add_argument("--weights", metavar="FILE.pt", help="a state dict (default: seed 0)")
    hessian.add_argument(
        "--loss", default="square", help="square or cross-entropy (default: square)"
    )
    for option, default, meaning in (
        ("--step-size", 0.1, "η"),
        ("--radius", 0.0, "ρ of unnormalised SAM; 0 is SGD"),
    ):
        hessian.add_argument(
            option, type=float, default=default, metavar="X", help=f"{meaning} (default: {default})"
        )
    hessian.add_argument(
        "--batch-size",
        type=int,
        default=1,
        metavar="B",
        help="samples in a batch, drawn without replacement (default: 1)",
    )
    hessian.add_argument(
        "--memory-limit",
        type=float,
        default=4.0,
        metavar="GIB",
        help="memory_limit of a dense result, in GiB (default: 4)",
    )
    hessian.add_argument("--device", default="cpu", help="auto, cpu or cuda (default: cpu)")
    hessian.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return main


def completion() -> Parser:
    """The grammar of the installed command, with every name that it takes."""
    from numerics.confrontations.cases import CASES

    claimed = [name for name, theorem in registry.load().items() if theorem.refutation is None]
    return parser("sam-measure", claimed, tuple(CASES))


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was asked for."""
    # Importing torch takes seconds: help and bad usage do not wait for it.
    from numerics import commands

    return commands.COMMANDS[arguments.command](arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line: 0 nothing violated, 1 something violated, 2 bad input."""
    arguments = parser().parse_args(argv)
    return ended(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
