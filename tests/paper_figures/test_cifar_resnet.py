"""The CIFAR-10 figure on a tiny archive in the original format, and where there is none."""

import numpy as np
import pytest
import torch
from oracles import cifar as oracle

from numerics.data import cifar10
from numerics.networks import cifar_resnet
from paper_figures import __main__ as command_line
from paper_figures.tables import from_csv

SMOKE = ("--preset", "smoke", "--executor", "serial")


@pytest.fixture
def archive(tmp_path, monkeypatch):
    digests = oracle.write_archive(tmp_path / "data", oracle.batches(100))
    monkeypatch.setattr(cifar10, "MD5", cifar10.MD5 | digests)
    monkeypatch.setenv(cifar10.VARIABLE, str(tmp_path / "data"))
    cifar_resnet._cifar10.cache_clear()
    yield
    cifar_resnet._cifar10.cache_clear()


@pytest.fixture
def no_archive(tmp_path, monkeypatch):
    monkeypatch.setenv(cifar10.VARIABLE, str(tmp_path))
    cifar_resnet._cifar10.cache_clear()


def test_the_sets_are_disjoint_parts_of_the_archive(archive):
    setting = cifar_resnet.CifarResNet(samples=300, validation=150, test=60)
    data = setting.data()
    sizes = {name: len(getattr(data, name)[0]) for name in ("training", "validation", "test")}
    assert sizes == {"training": 300, "validation": 150, "test": 60}
    rows = torch.cat([data.training[0], data.validation[0]]).flatten(1)
    assert len(torch.unique(rows, dim=0)) == 450
    images, labels = cifar10.load_cifar10("test")
    assert torch.equal(data.test[0], cifar10.standardise(images[:60]))
    assert data.test[1].tolist() == labels[:60].tolist()
    with pytest.raises(ValueError, match=r"samples \+ validation is 600: CIFAR-10 has 500"):
        cifar_resnet.CifarResNet(samples=450, validation=150, test=60).data()


def test_the_members_have_the_published_settings():
    setting = cifar_resnet.CifarResNet(radii=(0.05, 0.1))
    members = setting.members(7)
    assert [m.spec.name for m in members] == ["SGD", "normalised SAM", "normalised SAM"]
    assert [m.radius for m in members] == [0.0, 0.05, 0.1]
    common = {(m.seed, m.step_size, m.batch_size, m.momentum, m.weight_decay) for m in members}
    assert common == {(7, 0.1, 128, 0.9, 5e-4)}
    factors = [setting.schedule.factor(epoch, 200) for epoch in (0, 99, 100, 149, 150, 199)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])  # powers of a float


@pytest.mark.slow
def test_the_figure_builds_from_the_archive(archive, build, tmp_path):
    status, out, err = build("cifar_resnet", *SMOKE)
    assert (status, err) == (0, "") and "computed 4 runs" in out
    rows = from_csv((tmp_path / "figures/cifar_resnet.csv").read_text())
    assert {row["filters"] for row in rows} == {2, 4}
    for row in rows:
        k = row["filters"]
        assert row["parameters"] == 2724 * k**2 + 257 * k + 10  # counted in test_resnet.py
    assert np.all([0 <= row["score"] <= 100 for row in rows])


def test_asked_for_by_name_absent_data_is_a_failure(no_archive, build, tmp_path):
    status, out, err = build("cifar_resnet", *SMOKE)
    assert (status, err) == (1, "")
    assert out.startswith("cifar_resnet: not run: data absent (") and out.count("\n") == 1
    assert cifar10.ARCHIVE in out and not (tmp_path / "figures").exists()


def test_among_all_figures_absent_data_is_said_and_the_others_go_on(
    no_archive, build, toy, tmp_path, monkeypatch
):
    known = {"cifar_resnet": "paper_figures.figures.cifar_resnet", "toy": str(toy)}
    monkeypatch.setattr(command_line, "discover", lambda: known)
    status, out, err = build("all", *SMOKE)
    absent, built = out.splitlines()
    assert (status, err) == (0, "")
    assert "not run: data absent" in absent and built.startswith("toy: computed 3 runs")
    assert (tmp_path / "figures/toy.png").exists()
