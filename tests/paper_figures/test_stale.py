"""A changed theorem recomputes what it is in; a stored table is verified by a cheaper build."""

import json
import shutil
from pathlib import Path

import pytest

from paper_figures.__main__ import main
from paper_figures.stale import TOLERANCE, differences
from paper_figures.tables import to_csv
from theory import registry
from theory.library import sam_pl_linear
from theory.userfiles import module_of_file


@pytest.fixture
def another_factor(monkeypatch, tmp_path):
    """The library after an edit of one of its files: the factor of one theorem is another."""

    def edit():
        text = Path(sam_pl_linear.__file__).read_text(encoding="utf-8")
        old, new = "return 1 - 2 * step_size * margin", "return 1 - 3 * step_size * margin"
        assert text.count(old) == 1
        (tmp_path / "edited.py").write_text(text.replace(old, new), encoding="utf-8")
        module = module_of_file(tmp_path / "edited.py", "theorem")
        others = {theorem.id: theorem for theorem in registry.theorems_of(module)}
        library = {**registry._library(), **others}
        monkeypatch.setattr(registry, "_library", lambda: library)

    return edit


def build(folder, *options):
    places = ["--out", str(folder), "--results", str(folder / "runs"), "--executor", "serial"]
    return main(["build", "sharper_bounds", "--preset", "smoke", *places, *options])


def test_an_edited_theorem_recomputes_its_panel_only(tmp_path, capsys, another_factor):
    assert build(tmp_path) == 0 and "computed 3 runs, reused 0" in capsys.readouterr().out
    assert build(tmp_path) == 0 and "computed 0 runs, reused 3" in capsys.readouterr().out
    old = (tmp_path / "sharper_bounds.csv").read_text()
    another_factor()
    assert build(tmp_path) == 0 and "computed 1 runs, reused 2" in capsys.readouterr().out
    changed = [
        (first, second)
        for first, second in zip(
            old.splitlines(),
            (tmp_path / "sharper_bounds.csv").read_text().splitlines(),
            strict=True,
        )
        if first != second
    ]
    assert changed and all(line.startswith("rate,published,sam-pl-linear,") for line, _ in changed)


def test_a_manifest_says_who_computed_it_and_from_what(once):
    manifest = json.loads((once / "sharper_bounds.json").read_text())
    command = "sam-figures build sharper_bounds --preset smoke"
    assert manifest["command"] == command
    assert manifest["code"].keys() == {"runs", "compute", "table", "draw"}
    assert "sam-pl-linear" in manifest["statements"]["compute"]
    assert all(run["environment"]["threads"].isdigit() for run in manifest["runs"])
    assert manifest["checkout"].keys() in ({"commit", "described", "dirty"}, set())


ROWS = [
    {"name": "a", "x": 1.0, "of_seeds": "1.0; 2.0"},
    {"name": "b", "x": None, "of_seeds": "3.0; 4.0"},
]


@pytest.mark.parametrize(
    ("change", "apart"),
    [
        ({}, 0.0),
        ({"x": 1.0 + 2**-40}, 2**-40 / (1 + 2**-40)),
        ({"of_seeds": "1.0; 2.5"}, 0.2),
        ({"name": "c"}, float("inf")),
        ({"x": None}, float("inf")),
        ({"of_seeds": "1.0; 2.0; 3.0"}, float("inf")),
    ],
)
def test_differences_are_relative_to_the_larger(change, apart):
    rows = [ROWS[0] | change, ROWS[1]]
    assert differences(to_csv(ROWS), to_csv(rows)) == pytest.approx(apart, rel=1e-12)
    assert differences(to_csv(ROWS), to_csv([*rows, ROWS[1]])) == float("inf")
    wider = [row | {"more": 1} for row in rows]
    assert differences(to_csv(ROWS), to_csv(wider)) == pytest.approx(apart, rel=1e-12)
    assert differences(to_csv(wider), to_csv(ROWS)) == float("inf")


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A build that is copied where one is wanted."""
    folder = tmp_path_factory.mktemp("once")
    assert build(folder) == 0
    return folder


@pytest.fixture
def stored(tmp_path, capsys, once):
    """A table and a reference by the same code, which is then another one."""
    reference, table = tmp_path / "reference", tmp_path / "stored"
    for folder in (reference, table):
        shutil.copytree(once, folder / "sharper_bounds")

    def rewrite(folder, how):
        path = folder / "sharper_bounds" / "sharper_bounds.json"
        manifest = json.loads(path.read_text())
        how(manifest)
        path.write_text(json.dumps(manifest))
        return manifest

    for folder in (reference, table):
        rewrite(folder, lambda manifest: manifest["code"].update(compute="older"))
    call = ["verify", "sharper_bounds", "--reference", str(reference), "--results", str(table)]
    capsys.readouterr()
    return lambda: (main(call), *capsys.readouterr()), rewrite, reference, table


def test_a_verified_table_names_what_was_recomputed(stored):
    call, rewrite, _, table = stored
    status, out, _ = call()
    assert (status, out) == (0, "sharper_bounds: verified, largest relative difference 0\n")
    (verified,) = rewrite(table, lambda manifest: None)["verified"]
    assert (verified["runs"], verified["max_difference"]) == (3, 0.0)
    assert verified["environment"]["processor"] and verified["code"]["compute"] != "older"


@pytest.mark.parametrize(
    ("place", "how", "said"),
    [
        ("reference", lambda m: m["code"].update(compute="another"), "by other code than"),
        ("stored", lambda m: m["runs"].pop(), "asks for other runs than its table"),
        ("stored", lambda m: m["runs"][0]["parameters"].update(mu=0.3), "other runs"),
        ("reference", lambda m: m["runs"][0].update(data="other"), "other runs than"),
    ],
)
def test_what_cannot_be_verified_is_refused(stored, place, how, said):
    call, rewrite, reference, table = stored
    rewrite({"reference": reference, "stored": table}[place], how)
    status, out, error = call()
    assert (status, out, error.count("\n")) == (1, "", 1)
    assert said in error and "rebuild it with `sam-figures build" in error


@pytest.mark.slow
def test_other_numbers_are_no_verification(stored, another_factor):
    call, rewrite, _, table = stored
    another_factor()
    status, _, error = call()
    assert status == 1 and "differs from" in error
    assert "verified" not in rewrite(table, lambda manifest: None)
    assert TOLERANCE < 1e-6
