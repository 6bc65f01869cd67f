import hashlib
import lzma
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from numerics.data import mnist as data

FOLDER = Path(data.__file__).parents[2] / "data" / "mnist"


@pytest.fixture(scope="module")
def held_out():
    return data.load_mnist("test")


def test_shapes_dtypes_and_ranges(held_out):
    images, labels = held_out
    assert images.shape == (10000, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (10000,) and labels.dtype == np.int64
    assert (images.min(), images.max()) == (0, 255)
    assert set(labels) == set(range(10))
    # The first test image is the seven of every MNIST tutorial: upright, top-heavy.
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert images[0, :4].max() == 0 and images[0, 7, 6:12].min() > 0


def test_train_split_and_published_pixel_statistics():
    images, labels = data.load_mnist("train")
    assert images.shape == (60000, 28, 28) and labels[:5].tolist() == [5, 0, 4, 1, 9]
    # The constants of the `standard` scaling are these statistics, rounded to four digits.
    assert round(float(images.mean()) / 255, 4) == 0.1307
    assert round(float(images.std()) / 255, 4) == 0.3081


def test_licence_lists_the_hashes_of_files_and_contents():
    table = (FOLDER / "LICENSE.md").read_text()
    rows = dict(re.findall(r"\| `(\S+)` \| `([0-9a-f]{64})` \|", table))
    assert rows == data.SHA256
    for name in rows:
        content = hashlib.sha256(lzma.decompress((FOLDER / name).read_bytes())).hexdigest()
        assert content in table


def test_corrupted_or_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"t10k-images\S+ cannot be read .*root=FOLDER$"):
        data.load_mnist("test", root=tmp_path)
    for name in data.SHA256:
        shutil.copy(FOLDER / name, tmp_path)
    broken = tmp_path / "t10k-labels-idx1-ubyte.xz"
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    with pytest.raises(ValueError, match=r"t10k-labels\S+ differs .*: restore it$"):
        data.load_mnist("test", root=tmp_path)


@pytest.mark.parametrize("n", [1, 10, 37])
def test_subset_is_balanced_real_and_without_repetition(n, held_out):
    images, labels = held_out
    subset = data.mnist_subset(n, split="test", normalise="raw", seed=3)
    counts = np.bincount(subset.labels.numpy(), minlength=10)
    assert counts.max() - counts.min() <= 1 and counts.sum() == n
    rows = subset.indices.numpy()
    assert len(set(rows)) == n
    assert (subset.labels.numpy() == labels[rows]).all()
    assert (subset.inputs.numpy() * 255 == images[rows].reshape(n, -1)).all()


def test_subsets_are_deterministic_nested_and_named():
    small, large = (data.mnist_subset(n, split="test", seed=1) for n in (7, 50))
    assert torch.equal(small.inputs, large.inputs[:7])
    again, other = (data.mnist_subset(7, split="test", seed=seed) for seed in (1, 2))
    assert small.fingerprint == again.fingerprint != other.fingerprint
    assert small.name == "mnist-test-n7-seed1-pool1-standard"


def test_pooling_averages_windows(held_out):
    images, _ = held_out
    subset = data.mnist_subset(3, split="test", pool=4, normalise="raw")
    for row, index in zip(subset.inputs.numpy(), subset.indices.tolist(), strict=True):
        windows = images[index].reshape(7, 4, 7, 4).mean(axis=(1, 3)).reshape(-1) / 255
        # 16 numbers below 1 are averaged: an error of a few units of round-off.
        np.testing.assert_allclose(row, windows, rtol=0, atol=1e-15)


def test_normalisations_and_targets():
    raw, standard, unit = (
        data.mnist_subset(20, split="test", normalise=kind)
        for kind in ("raw", "standard", "unit-norm")
    )
    # Three roundings of numbers below 3.
    assert torch.allclose(standard.inputs * 0.3081 + 0.1307, raw.inputs, rtol=0, atol=2e-15)
    norms = (unit.inputs**2).sum(dim=1)
    assert torch.allclose(norms, torch.ones_like(norms), rtol=0, atol=1e-14)
    cosines = (unit.inputs * raw.inputs).sum(dim=1) / raw.inputs.norm(dim=1)
    assert torch.allclose(cosines, torch.ones_like(norms), rtol=0, atol=1e-14)
    hot = data.mnist_subset(20, split="test", targets="one-hot")
    assert torch.equal(hot.targets.argmax(dim=1), hot.labels)
    assert hot.targets.dtype == torch.float64 and bool((hot.targets.sum(dim=1) == 1).all())
    assert hot.fingerprint == standard.fingerprint and torch.equal(standard.targets, hot.labels)


def test_fingerprint_sees_bytes_shape_and_dtype():
    base = torch.zeros(2, 3, dtype=torch.float64)
    other = base.clone()
    other[1, 2] = -0.0
    variants = [base, other, base.reshape(3, 2), base.to(torch.float32), base.to(torch.int64)]
    assert len({data.fingerprint(tensor) for tensor in variants}) == len(variants)
    assert data.fingerprint(base.T.contiguous().T) == data.fingerprint(base)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": 9000}, "n is 9000: a balanced subset has at most 8920 images"),
        ({"n": 5, "pool": 3}, "pool is 3: choose a divisor of 28"),
        ({"n": 5, "normalise": "l2"}, "normalise is 'l2'"),
        ({"n": 5, "targets": "soft"}, "targets is 'soft'"),
        ({"n": 5, "split": "valid"}, "split is 'valid'"),
        ({"n": 5, "seed": -1}, "seed is -1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.mnist_subset(**{"split": "test"} | arguments)


def test_global_random_state_is_left_alone():
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    data.mnist_subset(5, split="test")
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()
