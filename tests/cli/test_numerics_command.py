"""`sam-measure`: exit statuses, the JSON document, no traceback on bad input."""

import json

import numpy as np
import pytest
import torch

import theory
from numerics import __main__ as command
from numerics.confrontations.cases import CASES
from numerics.confrontations.verdicts import Measurement, Outcome
from numerics.hessians import SampleHessians
from numerics.networks.perceptrons import mlp
from numerics.stability import stability_threshold
from theory.__main__ import main as theory_main


def run(capsys, *arguments):
    status = command.main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_check_json(capsys):
    status, out, _ = run(capsys, "check", "--problem", "gaussian-lsq", "--json")
    document = json.loads(out)
    assert status == 0 and document["dtype"] == "float64"
    claimed = [t.id for t in theory.load().values() if t.refutation is None]
    assert [v["theorem"] for v in document["verdicts"]] == claimed
    assert {v["outcome"] for v in document["verdicts"]} == {"consistent"}


def test_check_table(capsys):
    status, out, _ = run(capsys, "check", "sgd-pl-linear", "--problem", "gaussian-lsq")
    assert status == 0 and "1 verdicts: 1 consistent, 0 violated, 0 inconclusive" in out


def test_a_violation_is_status_1(capsys, monkeypatch):
    class Stubborn:
        name = "stubborn"

        def confront(self, theorem):
            return Measurement(theorem.id, self.name, Outcome.VIOLATED, 1, -1.0, reason="too large")

    monkeypatch.setitem(CASES, "stubborn", lambda device, seeds: Stubborn())
    status, out, _ = run(capsys, "check", "sgd-pl-linear", "--problem", "stubborn")
    assert status == 1 and "violated" in out and "too large" in out


def verdicts(capsys, *arguments):
    status, out, _ = run(capsys, "check", *arguments, "--problem", "gaussian-lsq", "--json")
    return status, json.loads(out)["verdicts"]


def test_a_theorem_of_a_file_is_measured_like_the_librarys(capsys, tmp_path, root):
    """The copy of the guide's own example, as Python and as JSON."""
    ids = ("sgd-pl-linear", "my-theorem")
    text = (root / "theory/library/sgd_pl_linear.py").read_text().replace(*map('"{}"'.format, ids))
    (tmp_path / "my_theorem.py").write_text(text)
    status, (wanted,) = verdicts(capsys, "sgd-pl-linear")
    assert status == 0 and wanted["points"] > 0 and "file" not in wanted
    python = str(tmp_path / "my_theorem.py")
    status, (found,) = verdicts(capsys, python)
    assert status == 0 and found == wanted | {"theorem": "my-theorem", "file": python}
    assert theory_main(["explain", python, "--json"]) == 0
    document = tmp_path / "my_theorem.json"
    document.write_text(capsys.readouterr().out)
    status, (found,) = verdicts(capsys, str(document))
    assert status == 0 and found == wanted | {"theorem": "my-theorem", "file": str(document)}


def test_two_files_may_use_one_id(capsys, tmp_path, root):
    """Each has the row of its file; the second claims a factor that is too small."""
    text = (root / "theory/library/sgd_pl_linear.py").read_text()
    text = text.replace('"sgd-pl-linear"', '"mine"')
    (tmp_path / "right.py").write_text(text)
    (tmp_path / "wrong.py").write_text(text.replace("factor = 1 - 2 *", "factor = 1 - 9 *"))
    files = [str(tmp_path / name) for name in ("right.py", "wrong.py")]
    status, out, _ = run(capsys, "check", *files, "--problem", "gaussian-lsq")
    assert status == 1 and "2 verdicts: 1 consistent, 1 violated, 0 inconclusive" in out
    right, wrong = (out.index(name) for name in ("in right.py", "in wrong.py"))
    assert right < out.index("mine: undecided") < wrong


@pytest.mark.slow
def test_what_is_not_measured_says_so(capsys, root):
    """Gradient descent on strongly convex functions, which overparameterised problems are not."""
    status, found = verdicts(capsys, str(root / "examples/gradient_descent.py"))
    assert status == 0 and {verdict["outcome"] for verdict in found} == {"inconclusive"}
    assert all(v["reason"].startswith("no measurement of this claim is known") for v in found)


@pytest.mark.slow
def test_sam_is_flatter_and_more_uniform_than_sgd_on_mnist(capsys):
    """The whole job on real data: no violation, and every interval of every ratio below 1."""
    status, out, _ = run(capsys, "check", "--problem", "mnist-mlp", "--json")
    document = json.loads(out)
    assert status == 0
    outcomes = [v["outcome"] for v in document["verdicts"]]
    assert "violated" not in outcomes and outcomes.count("consistent") >= 6
    assert len(document["comparisons"]) == 8
    for comparison in document["comparisons"]:
        assert comparison["ratio"]["pairs"] >= 5
        assert comparison["ratio"]["high"] < 1


def test_hessian_report(capsys, tmp_path):
    arguments = ("hessian", "--model", "mlp:49-4-10", "--data", "mnist:10:4", "--json")
    status, out, _ = run(capsys, *arguments)
    report = json.loads(out)
    assert status == 0
    assert report["parameters"] == len(report["spectrum"]) == 49 * 4 + 4 + 4 * 10 + 10
    assert report["moments"]["sharpness"] == pytest.approx(report["largest eigenvalue"], rel=1e-10)
    weights = tmp_path / "weights.pt"
    torch.save(mlp((49, 4, 10), seed=3).state_dict(), weights)
    status, out, _ = run(capsys, *arguments, "--weights", str(weights))
    assert status == 0
    assert json.loads(out)["largest eigenvalue"] != report["largest eigenvalue"]
    status, out, _ = run(capsys, *arguments[:-1])
    assert status == 0 and "largest eigenvalue" in out


def test_hessian_of_the_users_own_data(capsys, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "data.npz"
    np.savez(path, inputs=rng.normal(size=(6, 3)), targets=rng.integers(0, 2, size=6))
    status, out, _ = run(
        capsys,
        *("hessian", "--model", "mlp:3-4-2", "--data", str(path)),
        *("--loss", "cross-entropy", "--json"),
    )
    assert status == 0 and json.loads(out)["samples"] == 6


PERCEPTRON = """
from torch import nn

def model():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
"""
TOKENS = """
from torch import nn

class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(5, 3), nn.Linear(3, 2)

    def forward(self, tokens):
        return self.out(self.table(tokens).tanh().mean(1))

model = Last
"""


def test_hessian_of_the_users_own_network(capsys, tmp_path):
    """The same network from a file and from `mlp:`, with the same weights: the same numbers."""
    rng = np.random.default_rng(0)
    data, weights, file = (tmp_path / name for name in ("data.npz", "weights.pt", "network.py"))
    np.savez(data, inputs=rng.normal(size=(6, 3)), targets=rng.normal(size=(6, 2)))
    torch.save(mlp((3, 4, 2), seed=3).state_dict(), weights)
    file.write_text(PERCEPTRON)
    state = torch.random.get_rng_state()
    found = []
    for model in ("mlp:3-4-2", str(file)):
        arguments = ("--model", model, "--data", str(data), "--weights", str(weights))
        status, out, _ = run(capsys, "hessian", *arguments, "--batch-size", "2", "--json")
        assert status == 0
        found.append(json.loads(out))
    assert found[0] == found[1]
    status, out, _ = run(capsys, "hessian", "--model", str(file), "--data", str(data), "--json")
    assert status == 0 and json.loads(out)["spectrum"] != found[0]["spectrum"]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_hessian_of_a_network_of_tokens(capsys, tmp_path):
    rng = np.random.default_rng(0)
    data, file = tmp_path / "data.npz", tmp_path / "network.py"
    np.savez(data, inputs=rng.integers(0, 5, size=(6, 4)), targets=rng.integers(0, 2, size=6))
    file.write_text(TOKENS)
    arguments = ("--model", str(file), "--data", str(data), "--loss", "cross-entropy", "--json")
    status, out, _ = run(capsys, "hessian", *arguments)
    report = json.loads(out)
    assert status == 0 and report["parameters"] == 5 * 3 + 3 * 2 + 2
    assert report["moments"]["sharpness"] == pytest.approx(report["largest eigenvalue"], rel=1e-10)


LINEAR = """
from torch import nn

def model():
    return nn.Linear(3, 1, bias=False)
"""


def test_hessian_gives_the_largest_stable_step_size_at_a_minimum(capsys, tmp_path):
    """Linear regression without noise: the Hessians are those of the rows, in closed form."""
    data, weights, file = (tmp_path / name for name in ("data.npz", "weights.pt", "network.py"))
    rows = np.random.default_rng(0).normal(size=(6, 3))
    solution = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    np.savez(data, inputs=rows, targets=rows @ solution.numpy().T)
    torch.save({"weight": solution}, weights)
    file.write_text(LINEAR)
    arguments = ("hessian", "--model", str(file), "--data", str(data), "--radius", "0.1", "--json")
    status, out, _ = run(capsys, *arguments, "--weights", str(weights))
    assert status == 0
    expected = stability_threshold(SampleHessians.from_rank_one(torch.from_numpy(rows)), 0.1)
    found = json.loads(out)["stability"]["largest stable η"]
    assert found == pytest.approx(expected.value, rel=1e-10)  # the residuals are round-off
    file.write_text(PERCEPTRON.replace("(4, 2)", "(4, 1)"))
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert json.loads(out)["stability"]["largest stable η"].startswith(
        "none: the Hessian of sample"
    )


def test_arrays_of_every_real_type(tmp_path, capsys):
    """Long doubles, other byte orders and narrow integers: what NumPy writes is read."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(4, 3)), np.array([0, 1, 0, 1])
    found = []
    for kind, label in (("f8", "i8"), (np.longdouble, "i4"), (">f8", "u1"), ("f8", ">i2")):
        np.savez(tmp_path / "data.npz", inputs=inputs.astype(kind), targets=labels.astype(label))
        line = f"hessian --model mlp:3-2 --data {tmp_path}/data.npz --loss cross-entropy --json"
        assert command.main(line.split()) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert all(one == found[0] for one in found)
