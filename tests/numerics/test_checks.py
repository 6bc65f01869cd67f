import math

import pytest
import torch

from numerics import checks


@pytest.mark.parametrize("bad", [-1e-300, math.nan, math.inf, "1", None, True, torch.ones(2)])
def test_nonnegative_rejects(bad):
    with pytest.raises(ValueError, match=r"^step_size [^\n]*: [^\n]+$"):
        checks.check_nonnegative("step_size", bad)


def test_zero_separates_nonnegative_from_positive():
    assert checks.check_nonnegative("radius", 0) == 0.0
    with pytest.raises(ValueError, match="radius is 0: it must be above 0"):
        checks.check_positive("radius", 0)
    assert checks.check_positive("radius", torch.tensor(0.5)) == 0.5


@pytest.mark.parametrize("bad", [0, -3, 2.0, True, 11])
def test_count_rejects(bad):
    with pytest.raises(ValueError, match="n is"):
        checks.check_count("n", bad, least=1, most=10)


def test_count_accepts_its_ends():
    assert checks.check_count("n", 1, most=10) == 1
    assert checks.check_count("n", 10, most=10) == 10


def test_finite_counts_the_bad_entries():
    with pytest.raises(ValueError, match="data has 2 NaN or infinite entries of 3"):
        checks.check_finite("data", torch.tensor([1.0, math.nan, -math.inf]))
    clean = torch.tensor([1.0, 1e308], dtype=torch.float64)
    assert checks.check_finite("data", clean) is clean


@pytest.mark.parametrize("there", [False, True])
def test_auto_is_the_gpu_of_this_machine(there, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    assert checks.pick_device("cpu") == "cpu"
    assert checks.pick_device("auto") == ("cuda" if there else "cpu")
    assert checks.pick_device("auto", elsewhere=True) == "cpu"
    assert checks.pick_device("cuda", elsewhere=True) == "cuda"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda' is not there: choose auto or cpu"):
        checks.pick_device("cuda")


def test_nonempty():
    with pytest.raises(ValueError, match=r"data is empty \(shape \(0, 3\)\)"):
        checks.check_nonempty("data", torch.zeros(0, 3))


@pytest.mark.parametrize("labels", [[-1, 0], [0, 10]])
def test_labels_out_of_range(labels):
    with pytest.raises(ValueError, match=r"10 classes need 0 \.\.\. 9"):
        checks.check_labels("labels", torch.tensor(labels), 10)


def test_labels_must_be_integers_and_present():
    with pytest.raises(ValueError, match="dtype"):
        checks.check_labels("labels", torch.tensor([0.0]), 10)
    with pytest.raises(ValueError, match="empty"):
        checks.check_labels("labels", torch.zeros(0, dtype=torch.int64), 10)
    labels = torch.tensor([0, 9])
    assert checks.check_labels("labels", labels, 10) is labels


def test_choice_and_vector():
    with pytest.raises(ValueError, match="split is 'dev': choose one of train, test"):
        checks.check_choice("split", "dev", ("train", "test"))
    like = torch.zeros(1, dtype=torch.float64)
    with pytest.raises(ValueError, match="start has shape"):
        checks.as_vector("start", torch.zeros(3), 2, like)
    assert checks.as_vector("start", [1, 2], 2, like).dtype == torch.float64
