r"""CIFAR-10 from the official Python archive, or from the folder that it unpacks to.

The files are pickles, and a pickle can run any code: they are read only if their MD5 is the
published one, and then by an unpickler that knows nothing but numpy arrays and plain containers.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from numerics.checks import check_choice
from numerics.errors import DataAbsent

__all__ = [
    "ARCHIVE",
    "CLASSES",
    "FOLDER",
    "MD5",
    "VARIABLE",
    "crop_and_flip",
    "load_cifar10",
    "standardise",
]

ARCHIVE, FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
#: The environment variable that names the folder of one of these two.
VARIABLE = "CIFAR10_ROOT"
CLASSES = 10
MD5 = {
    ARCHIVE: "c58f30108f718f92721af3b95e74349a",
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
_BATCHES = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}
_DEFAULT = Path(__file__).resolve().parents[2] / "data" / "cifar10"
_SHAPE = (3, 32, 32)
_MEAN, _DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
_ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    # The function with this name in every version of numpy, wherever it lives there.
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
}


def load_cifar10(
    split: str = "train", root: str | Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read one split of CIFAR-10; the MD5 of what is read is checked on every call.

    Args:
        split: `train` (50000 images) or `test` (10000).
        root: the folder that holds the archive `cifar-10-python.tar.gz` or the unpacked
            `cifar-10-batches-py`; by default that of the environment variable `CIFAR10_ROOT`, else
            `data/cifar10` beside the package.

    Returns:
        Images of shape (N, 3, 32, 32), uint8, and labels of shape (N,), int64.

    Raises:
        DataAbsent: if the folder holds neither of the two.
        ValueError: if the split is unknown, or a file is missing, differs from the original or is
            not what its name promises.

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """
    names = _BATCHES[check_choice("split", split, tuple(_BATCHES))]
    folder = Path(os.environ.get(VARIABLE, _DEFAULT) if root is None else root)
    if (folder / ARCHIVE).is_file():
        contents = _from_archive(folder / ARCHIVE, names)
    elif (folder / FOLDER).is_dir():
        contents = {name: _checked(folder / FOLDER / name) for name in names}
    else:
        raise DataAbsent(f"{folder} has no {ARCHIVE}: put it there or set {VARIABLE}")
    images, labels = zip(*(_batch(*item) for item in contents.items()), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def standardise(images: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    r"""$(p / 255 - m_c) / d_c$ with the mean and deviation of each colour, shape (N, 3, 32, 32)."""
    mean, deviation = (torch.tensor(v, dtype=dtype).view(3, 1, 1) for v in (_MEAN, _DEVIATION))
    return (torch.from_numpy(images).to(dtype) / 255 - mean) / deviation


def crop_and_flip(images: Tensor, generator: torch.Generator, pad: int = 4) -> Tensor:
    r"""The usual augmentation: shifted by up to `pad` pixels (zeros enter), mirrored or not.

    Args:
        images: shape (n, c, s, s).
        generator: on the CPU; one shift and one coin for each image.
        pad: the largest shift.
    """
    n, channels, side, _ = images.shape
    top, left = torch.randint(2 * pad + 1, (2, n, 1), generator=generator)
    mirrored = torch.randint(2, (n, 1), generator=generator).bool()
    sample, channel, place = (torch.arange(count) for count in (n, channels, side))
    rows, columns = top + place, left + torch.where(mirrored, side - 1 - place, place)
    index = (
        sample.view(n, 1, 1, 1),
        channel.view(channels, 1, 1),
        rows.view(n, 1, side, 1),
        columns.view(n, 1, 1, side),
    )
    padded = functional.pad(images, (pad, pad, pad, pad))
    return padded[tuple(part.to(images.device) for part in index)]


class _Unpickler(pickle.Unpickler):
    """Admits numpy arrays, bytes, numbers and plain containers, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The three names that a pickled numpy array needs."""
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _ADMITTED[module, name]


def _batch(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one batch file."""
    try:
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        images = np.asarray(batch[b"data"]).reshape(-1, *_SHAPE)
        labels = np.array(batch[b"labels"], dtype=np.int64)
        if images.dtype != np.uint8 or labels.shape != (len(images),):
            raise ValueError(f"{images.dtype} images {images.shape}, labels {labels.shape}")
        if labels.min() < 0 or labels.max() >= CLASSES:
            raise ValueError(f"labels range over {labels.min()} ... {labels.max()}")
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{name} is no batch of CIFAR-10 ({error}): restore it") from error
    return images, labels


def _from_archive(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The members in memory: nothing is unpacked to disk."""
    packed = _checked(path)
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            return {name: _member(archive, f"{FOLDER}/{name}") for name in names}
    except (tarfile.TarError, OSError, EOFError, KeyError) as error:
        raise ValueError(f"{path} is no archive of CIFAR-10 ({error}): restore it") from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no plain file")
    return file.read()


def _checked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): restore it") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != MD5[path.name]:
        raise ValueError(f"{path} differs from the published file (MD5): restore it")
    return content
