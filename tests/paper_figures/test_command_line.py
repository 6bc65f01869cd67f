"""`sam-figures`: exit statuses, files, redrawing, determinism."""

import contextlib
import hashlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from paper_figures.__main__ import main
from paper_figures.tables import from_csv

ROOT = Path(__file__).parents[2]
SERIAL = ("--preset", "smoke", "--executor", "serial")


def files(tmp_path):
    return {path.name: path.read_bytes() for path in (tmp_path / "figures").glob("*")}


def test_build_writes_four_files(build, toy, tmp_path):
    status, out, err = build(toy, *SERIAL)
    assert (status, err) == (0, "")
    assert "toy: computed 3 runs, reused 0" in out
    assert sorted(files(tmp_path)) == ["toy.csv", "toy.json", "toy.pdf", "toy.png"]


def test_csv_holds_exactly_what_was_computed(build, toy, tmp_path):
    import numpy as np

    build(toy, *SERIAL, "--seed", "7")
    rows = from_csv((tmp_path / "figures/toy.csv").read_text())
    expected = np.random.default_rng(7).normal(size=5).cumsum()
    # No tolerance: the CSV holds every float by its shortest exact form.
    assert [row["position"] for row in rows] == expected.tolist()
    assert {row["seed"] for row in rows} == {7}


def test_manifest_tells_where_the_numbers_come_from(build, toy, tmp_path):
    build(toy, *SERIAL, "--seed", "4", "5")
    manifest = json.loads((tmp_path / "figures/toy.json").read_text())
    assert manifest["figure"] == "toy"
    assert manifest["preset"] == "smoke"
    assert manifest["parameters"]["seeds"] == [4, 5] == [run["seed"] for run in manifest["runs"]]
    assert (manifest["computed"], manifest["reused"]) == (2, 0)
    assert manifest["runs"][0]["device"] == "cpu"
    assert manifest["runs"][0]["environment"]["python"] == "{}.{}.{}".format(*sys.version_info)
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((tmp_path / "figures" / name).read_bytes()).hexdigest() == digest
    assert sorted(manifest["files"]) == ["toy.csv", "toy.pdf", "toy.png"]


def test_a_gpu_computes_for_the_recipes_that_can(build, toy_with, tmp_path, monkeypatch):
    """Runs on the CPU are not taken for runs on the GPU; other recipes stay on the CPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    path = toy_with()
    path.write_text(path.read_text().replace('"device": "cpu"', '"device": run.device'))

    def devices(*options):
        status, *_ = build(path, *SERIAL, *options)
        manifest = json.loads((tmp_path / "figures/toy.json").read_text())
        assert status == 0
        return {run["device"] for run in manifest["runs"]}, manifest["computed"]

    assert devices() == ({"cpu"}, 3)
    assert devices("--device", "cuda") == ({"cpu"}, 0)
    path.write_text(path.read_text().replace("draw=draw,", "draw=draw,\n    on_gpu=True,"))
    assert devices("--device", "cpu") == ({"cpu"}, 0)
    assert devices() == ({"cuda"}, 3)
    assert devices("--device", "cuda") == ({"cuda"}, 0)


def test_rebuilding_gives_identical_bytes(build, toy, tmp_path):
    build(toy, *SERIAL)
    first = files(tmp_path)
    _, out, _ = build(toy, *SERIAL, "--force")
    assert "computed 3 runs" in out
    second = files(tmp_path)
    for name in ("toy.csv", "toy.pdf", "toy.png"):
        assert first[name] == second[name], name


def test_processes_and_hash_seeds_do_not_change_the_bytes(build, toy, tmp_path):
    build(toy, *SERIAL)
    first = files(tmp_path)
    command = [sys.executable, "-m", "paper_figures", "build", str(toy), "--preset", "smoke"]
    folders = ["--out", str(tmp_path / "figures"), "--results", str(tmp_path / "other")]
    subprocess.run(
        [*command, *folders, "--jobs", "2"],
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo"},
    )
    for name in ("toy.csv", "toy.pdf", "toy.png"):
        assert first[name] == files(tmp_path)[name], name


def test_redraw_computes_nothing_and_gives_identical_bytes(build, toy, tmp_path):
    build(toy, *SERIAL)
    first = files(tmp_path)
    for name in ("toy.pdf", "toy.png"):
        (tmp_path / "figures" / name).unlink()
    for stored in (tmp_path / "results/toy").iterdir():
        stored.unlink()
    status, _, err = build(toy, "--redraw")
    assert (status, err) == (0, "")
    assert files(tmp_path) == first
    assert not list((tmp_path / "results/toy").iterdir())


def test_a_change_in_the_table_shows_in_the_drawing(build, toy_with, tmp_path):
    build(toy_with(), *SERIAL)
    first = files(tmp_path)
    build(toy_with(steps=6), *SERIAL)
    assert first["toy.png"] != files(tmp_path)["toy.png"]
    assert first["toy.pdf"] != files(tmp_path)["toy.pdf"]


def test_redraw_writes_the_present_caption(build, toy, toy_with, tmp_path):
    build(toy, *SERIAL)
    edited = toy_with()
    edited.write_text(edited.read_text().replace('caption="', 'caption="Now: '))
    status, _, err = build(edited, "--redraw")
    assert (status, err) == (0, "")
    manifest = json.loads((tmp_path / "figures" / "toy.json").read_text())
    assert manifest["caption"] == "Now: Random walks."


def test_redraw_refuses_an_edited_table(build, toy, tmp_path):
    build(toy, *SERIAL)
    table = tmp_path / "figures/toy.csv"
    table.write_text(table.read_text().replace("0,0,", "0,0,1"))
    before = files(tmp_path)
    status, out, err = build(toy, "--redraw")
    assert (status, out) == (2, "")
    assert err == f"error: {table} is not what was computed: build toy again\n"
    assert files(tmp_path) == before


def test_redraw_before_build_is_bad_usage(build, toy, tmp_path):
    status, out, err = build(toy, "--redraw")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.endswith("build toy first\n")
    assert not (tmp_path / "figures").exists()


def test_failed_figure_leaves_its_old_files(build, toy, tmp_path):
    build(toy, *SERIAL)
    before = files(tmp_path)
    status, out, err = build(toy, "--preset", "laptop", "--executor", "serial")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("error: figure toy failed: RunFailed: ArithmeticError: seed 1 diverged")
    assert files(tmp_path) == before


def test_failed_figure_writes_nothing(build, toy, tmp_path):
    status, _, _ = build(toy, "--preset", "laptop", "--executor", "serial")
    assert status == 1
    assert not (tmp_path / "figures").exists()


def test_failed_drawing_writes_nothing(build, toy_with, tmp_path):
    path = toy_with()
    path.write_text(path.read_text().replace("axes.legend()", "raise RuntimeError('no ink')"))
    status, _, err = build(path, *SERIAL)
    assert status == 1
    assert err == "error: figure toy failed: RuntimeError: no ink\n"
    assert not (tmp_path / "figures").exists()


def test_a_computation_has_to_name_its_device(build, toy_with, tmp_path):
    path = toy_with()
    path.write_text(path.read_text().replace('"device": "cpu", ', ""))
    status, _, err = build(path, *SERIAL)
    assert status == 1
    assert err.endswith("compute must return a `device`, e.g. 'cpu'\n")
    assert not (tmp_path / "figures").exists()


def test_traceback_on_demand(build, toy):
    _, _, err = build(toy, "--preset", "laptop", "--executor", "serial", "--traceback")
    assert "Traceback" in err
    assert 'raise ArithmeticError(f"seed {run.seed} diverged")' in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "nonesuch"], "unknown figure 'nonesuch'"),
        (["build", "none.py"], "figure file none.py does not exist"),
        (["build", "TOY", "--preset", "huge"], "preset 'huge' is not known: use smoke, laptop"),
        (["build", "TOY", "--device", "tpu"], "unknown device 'tpu': choose auto, cpu or cuda"),
        (["build", "TOY", "--jobs", "0"], "--jobs 0: give 1 or more"),
        (["build", "TOY", "--jobs", "two"], "argument --jobs: invalid int value: 'two'"),
        (["build", "TOY", "--executor", "cloud"], "executor 'cloud' is not known: use one of"),
        (["build", "TOY", "--seed", "-3"], "--seed -3: give integers from 0 on"),
        (["build", "TOY", "--seed", "1.5"], "argument --seed: invalid int value: '1.5'"),
        (["build", "TOY", "--out", "TOY"], "toy.py is not a folder"),
        (["build", "TOY", "TWIN"], "another figure is also called toy: rename one"),
        (["build", "EMPTY"], "defines no figure"),
        (["build", "BROKEN"], "cannot be loaded (line 1: SyntaxError"),
        (["build", "TOY", "--colour", "red"], "unrecognized arguments: --colour red"),
        (["draw"], "invalid choice: 'draw'"),
        ([], "required"),
    ],
)
def test_bad_usage_is_one_line(arguments, message, toy, tmp_path, monkeypatch, capfd):
    (tmp_path / "empty.py").touch()
    (tmp_path / "broken.py").write_text("def\n")
    (tmp_path / "toy.py").write_text(toy.read_text())
    names = {"TOY": toy, "TWIN": tmp_path / "toy.py"}
    names |= {"EMPTY": tmp_path / "empty.py", "BROKEN": tmp_path / "broken.py"}
    before = set(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    assert main([str(names.get(argument, argument)) for argument in arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err
    assert set(tmp_path.iterdir()) == before


def test_seeds_for_a_figure_without_any(toy_with, build):
    path = toy_with()
    path.write_text(path.read_text().replace('"seeds"', '"starts"'))
    status, _, err = build(path, *SERIAL, "--seed", "1")
    assert status == 2
    assert err == "error: figure toy uses no seeds: leave --seed 1 out\n"


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"]])
def test_help(arguments, capsys):
    assert main(arguments) == 0
    assert "usage: sam-figures" in capsys.readouterr().out


def test_one_bar_on_a_terminal_and_none_inside_a_run(toy_with, tmp_path):
    """On a terminal the bar counts the runs, and a run is told that there is no terminal."""
    path = toy_with()
    told = tmp_path / "told"
    look = "import rich.console; from pathlib import Path; "
    look += f"Path({str(told)!r}).write_text(str(rich.console.Console(stderr=True).is_terminal))"
    path.write_text(path.read_text().replace("    time.sleep(", f"    {look}\n    time.sleep("))
    command = [sys.executable, "-m", "paper_figures", "build", str(path), *SERIAL]
    folders = ["--out", str(tmp_path / "figures"), "--results", str(tmp_path / "results")]
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*command, *folders], cwd=ROOT, stderr=follower, stdout=subprocess.DEVNULL
    ) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux reports the end of a terminal
            while part := os.read(leader, 4096):
                shown += part
        os.close(leader)
    assert process.returncode == 0
    assert b"toy" in shown
    assert b"3/3" in shown
    assert told.read_text() == "False"


def test_figures_of_a_family_share_their_runs(toy_with, build, tmp_path):
    first = toy_with()
    first.write_text(first.read_text().replace("draw=draw,", 'draw=draw,\n    family="walks",'))
    assert "computed 3 runs, reused 0" in build(first, *SERIAL)[1]
    second = tmp_path / "toy_again.py"
    second.write_text(first.read_text().replace('name="toy"', 'name="toy_again"'))
    assert "computed 0 runs, reused 3" in build(second, *SERIAL)[1]
    assert files(tmp_path)["toy.csv"] == files(tmp_path)["toy_again.csv"]
    third = tmp_path / "other.py"
    text = first.read_text().replace('name="toy"', 'name="other"')
    third.write_text(text.replace(".normal(", ".uniform("))  # another compute
    assert "computed 3 runs, reused 0" in build(third, *SERIAL)[1]
