"""The reader on tiny files in the original format, and what it must refuse."""

import os
import pickle

import numpy as np
import pytest
import torch
from oracles import cifar as oracle

from numerics.data import cifar10
from numerics.errors import DataAbsent

CONTENT = oracle.batches()


@pytest.fixture(params=[oracle.write_archive, oracle.write_folder], ids=["archive", "folder"])
def root(request, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "MD5", cifar10.MD5 | request.param(tmp_path, CONTENT))
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_and_labels_are_those_written(root, split):
    images, labels = cifar10.load_cifar10(split, root)
    names = oracle.SPLITS[split]
    assert images.dtype == np.uint8 and labels.dtype == np.int64
    assert labels.tolist() == [label for name in names for label in CONTENT[name][1]]
    for k, row in enumerate(np.concatenate([CONTENT[name][0] for name in names])):
        # Rows are red, green, blue planes of 32 lines of 32 pixels.
        assert images[k, 0, 0, 31] == row[31] and images[k, 0, 1, 0] == row[32]
        assert images[k, 1, 0, 0] == row[1024] and images[k, 2, 31, 31] == row[3071]


def test_the_pickles_look_like_the_originals():
    """Protocol 2, byte strings as such: what Python 3 writes itself would need another reader."""
    data = oracle.files(CONTENT)["test_batch"]
    plain = pickle.loads(data, encoding="bytes")
    assert data.startswith(b"\x80\x02}") and b"_codecs" not in data
    assert b"numpy.core.multiarray" in data and plain[b"labels"] == CONTENT["test_batch"][1]


def test_one_wrong_bit_is_refused(root):
    for path in root.rglob("*"):
        if path.is_file():
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
    with pytest.raises(ValueError, match=r"differs from the published file \(MD5\): restore it$"):
        cifar10.load_cifar10("test", root)


def test_the_published_digests_are_the_default(tmp_path):
    assert cifar10.MD5[cifar10.ARCHIVE] == "c58f30108f718f92721af3b95e74349a"
    oracle.write_archive(tmp_path, CONTENT)
    with pytest.raises(ValueError, match="differs from the published file"):
        cifar10.load_cifar10("train", tmp_path)


class Attack:
    """What a hostile pickle does when it is loaded."""

    def __reduce__(self):
        return os.system, ("touch attacked",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Attack(), r"it asks for (posix|nt)\.system"),
        ({b"data": Attack(), b"labels": [1]}, "it asks for"),
        ({b"data": np.zeros((2, 3072), np.uint8)}, "labels"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, r"labels \(1,\)"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, r"range over 10 \.\.\. 10"),
        ({b"data": np.zeros((1, 3072), np.int64), b"labels": [1]}, "int64 images"),
        ([1, 2], "is no batch of CIFAR-10"),
    ],
)
def test_other_pickles_are_refused_and_run_nothing(value, message, tmp_path, monkeypatch):
    """Also with the right digest: the second lock."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cifar10, "MD5", cifar10.MD5 | oracle.write_folder(tmp_path, CONTENT))
    data = oracle.pickled(value)
    (tmp_path / oracle.FOLDER / "test_batch").write_bytes(data)
    monkeypatch.setitem(cifar10.MD5, "test_batch", oracle.hashlib.md5(data).hexdigest())
    with pytest.raises(ValueError, match=message) as caught:
        cifar10.load_cifar10("test", tmp_path)
    assert "\n" not in str(caught.value) and not (tmp_path / "attacked").exists()


def test_an_archive_that_is_none_is_refused(tmp_path, monkeypatch):
    content = b"no archive"
    (tmp_path / cifar10.ARCHIVE).write_bytes(content)
    monkeypatch.setitem(cifar10.MD5, cifar10.ARCHIVE, oracle.hashlib.md5(content).hexdigest())
    with pytest.raises(ValueError, match="is no archive of CIFAR-10"):
        cifar10.load_cifar10("test", tmp_path)


def test_absent_data_is_its_own_error(tmp_path, monkeypatch):
    monkeypatch.setenv(cifar10.VARIABLE, str(tmp_path))
    with pytest.raises(DataAbsent, match=r"has no cifar-10-python\.tar\.gz: put it there or set"):
        cifar10.load_cifar10("test")
    with pytest.raises(ValueError, match="split is 'valid'"):
        cifar10.load_cifar10("valid")
    (tmp_path / oracle.FOLDER).mkdir()
    with pytest.raises(ValueError, match="test_batch cannot be read") as caught:
        cifar10.load_cifar10("test")
    assert not isinstance(caught.value, DataAbsent)


def test_colours_are_standardised_by_the_published_statistics():
    images = np.zeros((1, 3, 32, 32), np.uint8)
    images[0, 1] = 255
    found = cifar10.standardise(images, torch.float64)[0, :, 0, 0]
    expected = [-0.4914 / 0.2470, (1 - 0.4822) / 0.2435, -0.4465 / 0.2616]
    # Three roundings of numbers near 2.
    torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=1e-7, atol=0)


def test_augmented_images_are_shifted_and_mirrored_copies():
    images = torch.randn(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    moved = cifar10.crop_and_flip(images, torch.Generator().manual_seed(1), pad=2)
    kinds = set()
    for image, found in zip(images, moved, strict=True):
        padded = torch.zeros(3, 12, 12)
        padded[:, 2:10, 2:10] = image
        kinds |= {
            (top, left, mirrored)
            for top in range(5)
            for left in range(5)
            for mirrored in (False, True)
            for window in [padded[:, top : top + 8, left : left + 8]]
            if torch.equal(found, window.flip(2) if mirrored else window)
        }
    # Forty draws of fifty equally likely kinds: about 28 different ones.
    assert len(kinds) > 15 and {mirrored for *_, mirrored in kinds} == {False, True}
    again = cifar10.crop_and_flip(images, torch.Generator().manual_seed(1), pad=2)
    assert torch.equal(moved, again)
