"""For every recipe: a changed statement or helper changes its keys, any other does not."""

import ast
import dataclasses
import sys
from pathlib import Path

import pytest

from paper_figures.build import wanted_runs
from paper_figures.dependencies import Code, _file, reached
from paper_figures.provenance import code_version
from paper_figures.recipes import discover, load
from paper_figures.runs import Run
from paper_figures.statements import Reads, Undeclared, declared, digests, reading, sees_all
from theory import registry
from theory.reading import READ_AT_IMPORT

ROOT = Path(__file__).parents[2]
RECIPES = {name: load(origin) for name, origin in discover().items()}
#: One recipe for each `compute`.
COMPUTES = {recipe.compute: name for name, recipe in RECIPES.items()}
EVERY = sorted(COMPUTES.values())
#: The others take part in the slow suite.
SOME = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in ("minima_radius", "sharper_bounds")))
    for name in EVERY
]
#: Those that declare statements.
READ = ("counterexample_dynamics", "counterexample_ratios", "decrease_threshold")
READ += ("rate_tightness", "sharper_bounds", "stability_map")
LIBRARY = dict(registry._library())


def keys(recipe, runs):
    known = [declared(run, recipe.compute) for run in runs]
    return [run.key(recipe.stored_under, "the same code") for run in known]


def changed(theorem):
    """Another statement: one conclusion is about twice as much."""
    name = theorem.conclusion[0]
    proof = tuple(
        dataclasses.replace(
            step, claim=dataclasses.replace(step.claim, right=2 * step.claim.right + 1)
        )
        if step.name == name
        else step
        for step in theorem.proof
    )
    return dataclasses.replace(theorem, proof=proof)


def reworded(theorem):
    """The same statement in other words."""
    return dataclasses.replace(theorem, title="Other,", statement="words", findings=("more",))


@pytest.fixture
def library(monkeypatch):
    """Puts other theorems into the library."""

    def change(how, names):
        others = {name: how(LIBRARY[name]) for name in names}
        monkeypatch.setattr(registry, "_library", lambda: {**LIBRARY, **others})

    return change


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "sharper_bounds")) for name in READ],
)
def test_keys_follow_the_statements_that_runs_declare(name, library):
    recipe = RECIPES[name]
    runs = recipe.runs(recipe.parameters("smoke"))
    before = keys(recipe, runs)
    cited = sorted({one for run in runs for one in run.theorems})
    assert cited and LIBRARY.keys() >= set(cited)
    for theorem_id in cited:
        library(changed, [theorem_id])
        after = keys(recipe, runs)
        differ = [old != new for old, new in zip(before, after, strict=True)]
        assert differ == [theorem_id in run.theorems for run in runs]
    library(changed, LIBRARY.keys() - set(cited))
    assert keys(recipe, runs) == before
    if not sees_all(recipe.compute):
        library(reworded, cited)
        assert keys(recipe, runs) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {*READ, "cifar_resnet"}))
def test_keys_of_the_others_follow_theirs(name, library):
    recipe = RECIPES[name]
    runs, chose = wanted_runs(recipe, recipe.parameters("smoke"))
    before = keys(recipe, runs)
    cited = {one for run in runs for one in run.theorems}
    library(changed, LIBRARY.keys() - cited - chose.keys())
    assert keys(recipe, recipe.runs(recipe.parameters("smoke"))) == before
    for theorem_id in cited:
        library(changed, [theorem_id])
        assert keys(recipe, runs) != before


@pytest.mark.parametrize("field", ["hypotheses", "quantities", "conclusion", "refutation"])
def test_a_digest_covers_everything_that_is_evaluated(field, library):
    """Dropping any of it gives another digest; a certificate and a witness are not in it."""
    name = "sam-stability-one-step-necessary" if field == "refutation" else "sam-pl-linear"
    before = digests([name], whole=False)
    empty = None if field == "refutation" else getattr(LIBRARY[name], field)[1:]
    library(lambda t: dataclasses.replace(t, **{field: empty}), [name])
    assert digests([name], whole=False) != before


def test_a_digest_covers_no_proof_and_no_witness(library):
    name = "sam-pl-linear"
    before = {whole: digests([name], whole) for whole in (False, True)}
    proof = tuple(
        dataclasses.replace(step, why="", certificate=LIBRARY["sam-edge"].proof[0].certificate)
        for step in LIBRARY[name].proof
    )
    library(lambda t: dataclasses.replace(t, proof=proof, witness=None, divisors=()), [name])
    assert digests([name], whole=False) == before[False]
    assert digests([name], whole=True) != before[True]


def test_an_absent_statement_has_a_digest_of_its_own():
    assert digests(["no-such-theorem"], whole=False) == {"no-such-theorem": "absent"}


@pytest.mark.parametrize(
    "read",
    [
        lambda: registry.get("sam-edge"),
        lambda: registry.load()["sam-edge"],
        lambda: list(registry.load().values()),
        lambda: "sam-edge" in registry.load(),
        lambda: registry.load().get("sam-edge"),
    ],
)
def test_what_is_not_declared_cannot_be_read(read):
    reads = Reads(False, digests(["sam-pl-linear"], whole=False))
    with reading(reads), pytest.raises(Undeclared, match=r"does not declare it: add it to Run"):
        read()
    with pytest.raises(Undeclared):  # also where the computation swallowed it
        reads.check()


def test_threads_of_a_computation_are_watched():
    from concurrent.futures import ThreadPoolExecutor

    reads = Reads(False, {})
    with reading(reads), ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(registry.get, "sam-edge").exception(), Undeclared)
    assert reads.problem


def test_a_run_sees_no_prose_and_no_proof():
    with reading(Reads(False, digests(["sam-pl-linear"], whole=False))):
        theorem = registry.get("sam-pl-linear")
        with pytest.raises(Undeclared, match="sees no prose"):
            str(theorem.title)
        with pytest.raises(AttributeError, match="sees no prose"):
            _ = theorem.proof[0].certificate.items
    assert registry.get("sam-pl-linear") is LIBRARY["sam-pl-linear"]


def test_reads_at_import_are_known(tmp_path, monkeypatch):
    (tmp_path / "reads_early.py").write_text("import theory\nEDGE = theory.get('sam-edge')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import reads_early  # noqa: F401

    assert READ_AT_IMPORT.pop("reads_early") == {"sam-edge"}


class Mutated(ast.NodeTransformer):
    """Changes the statements at the top level that bind some names."""

    def __init__(self, names):
        self.names = names

    def change(self, node):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in self.names:
            node.body.append(ast.parse("changed = 1").body[0])
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id in self.names for t in targets):
                node.value = ast.Tuple([node.value, ast.Constant(1)], ast.Load())
        return node


def mutated(module, names):
    """Sources in which these names of a module are bound to something else."""
    target = _file(module)
    tree = ast.parse(target.read_text("utf-8"))
    change = Mutated(names).change
    tree.body = [change(node) for node in tree.body]
    text = ast.unparse(ast.fix_missing_locations(tree))
    return Code(lambda path: text if path == target else path.read_text("utf-8"))


def plain(module):
    """The names that a module binds by `def`, `class` or an assignment to a name, once."""
    found = []
    for node in ast.parse(_file(module).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.append(node.targets[0].id)
    return {name for name in found if name != "__all__"}


def follows(compute, parts):
    before = code_version(compute)
    for module, name in parts:
        assert code_version(compute, mutated(module, {name})) != before, (module, name)


def own_parts(compute):
    return [p for p in sorted(reached(compute)) if p[1] in plain(p[0])]


@pytest.mark.parametrize("name", SOME)
def test_the_version_follows_helpers(name):
    compute = RECIPES[name].compute
    parts = own_parts(compute)
    follows(compute, parts[:: max(1, len(parts) // 3)])


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_the_version_follows_every_helper(name):
    compute = RECIPES[name].compute
    follows(compute, own_parts(compute))


@pytest.mark.parametrize("name", SOME)
def test_the_version_follows_nothing_else(name):
    compute = RECIPES[name].compute
    before, parts = code_version(compute), reached(compute)
    for module in {module for module, _ in parts}:
        others = plain(module) - {name for _, name in parts}
        if others:
            assert code_version(compute, mutated(module, others)) == before, module


PACKAGES = ("theory", "numerics", "paper_figures")


def executed(function, *arguments):
    """What a call executes of the three packages, as Python's profiler sees it."""
    seen = set()

    def note(frame, event, _):
        code = frame.f_code
        module = frame.f_globals.get("__name__", "")
        ours = module.partition(".")[0] in PACKAGES and code.co_filename.startswith(str(ROOT))
        if event == "call" and ours:
            seen.add((module, code.co_qualname.partition(".")[0]))

    sys.setprofile(note)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return {(module, name) for module, name in seen if not name.startswith("<")}


QUICK = ("linear_convergence", "sharper_bounds")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in EVERY
        if name != "cifar_resnet"
    ],
)
def test_everything_that_is_executed_is_in_the_version(name):
    """An independent look at what a computation reaches: watch it run."""
    recipe = RECIPES[name]
    run = recipe.runs(recipe.parameters("smoke"))[-1]
    found = executed(recipe.compute, run)
    assert (recipe.compute.__module__, "compute") in found
    assert found - reached(recipe.compute).keys() <= {("theory.registry", "_library")}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "sharper_bounds")) for name in READ],
)
def test_runs_declare_exactly_what_they_read(name):
    recipe = RECIPES[name]
    runs, _ = wanted_runs(recipe, recipe.parameters("smoke"))
    for run in runs:
        reads = Reads(sees_all(recipe.compute), run.statements)
        with reading(reads):
            recipe.compute(run)
        assert reads.read.keys() == set(run.theorems)


def test_a_declared_statement_is_in_the_key_and_its_order_is_not():
    first, second = (Run({}, statements=dict(pairs)) for pairs in ([("a", "1"), ("b", "2")],) * 2)
    assert first.key("f", "v") == second.key("f", "v") != Run({}).key("f", "v")
    assert Run({}, statements={"a": "2"}).key("f", "v") != Run({}, statements={"a": "1"}).key(
        "f", "v"
    )
