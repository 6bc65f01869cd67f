"""MNIST as it ships with the project: hashes checked, subsets that are named and reproducible."""

from __future__ import annotations

import hashlib
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from numerics.checks import check_choice, check_count

__all__ = [
    "CLASSES",
    "SHA256",
    "Subset",
    "fingerprint",
    "load_mnist",
    "mnist_subset",
    "noisy_labels",
    "standardise",
]

CLASSES = 10
SHA256 = {
    "t10k-images-idx3-ubyte.xz": "d815adbb3188b5bafed15d649960a5dbcb0f9138b9a4205b88b175001cb394c9",
    "t10k-labels-idx1-ubyte.xz": "f2edae9ce0307abae4671a37b70e6e3858696b48b16c3cfdfef97388dc9925d5",
    "train-images-idx3-ubyte.xz": (
        "8f41e9b4abc124dc3d209e86f7ea714a81f80edea40b565a4781dec7bd67c6e2"
    ),
    "train-labels-idx1-ubyte.xz": (
        "dcd3d8184fe1a8be6231f172fb3390116f91c127282fd736ab55752c179963d8"
    ),
}
_PREFIX = {"train": "train", "test": "t10k"}
_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "_data" / "mnist", _PACKAGE.parent / "data" / "mnist")
_MEAN, _DEVIATION = 0.1307, 0.3081
_NORMALISATIONS = ("standard", "unit-norm", "raw")
_TARGETS = ("integer", "one-hot")
_SIDE = 28


@dataclass(frozen=True)
class Subset:
    """A deterministic part of MNIST, ready for a model.

    Attributes:
        name: everything that determines the subset, e.g. `mnist-train-n100-seed0-pool4-standard`.
        inputs: shape (n, d), float64; d is (28 / pool)^2.
        targets: integer labels of shape (n,), int64, or one-hot rows of shape (n, 10), float64.
        labels: shape (n,), int64.
        indices: shape (n,), int64: the rows of the split, in the order of `inputs`.
        fingerprint: SHA-256 of inputs and labels, for provenance.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    labels: Tensor
    indices: Tensor
    fingerprint: str


def load_mnist(
    split: str = "train", root: str | Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read one split of MNIST; the SHA-256 of both files is checked on every call.

    Args:
        split: `train` (60000 images) or `test` (10000).
        root: the folder of the `.xz` files; by default those that ship with the project.

    Returns:
        Images of shape (N, 28, 28), uint8, and labels of shape (N,), int64.

    Raises:
        ValueError: if the split is unknown, or a file is missing or differs from the original.

    Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits.
    """
    prefix = _PREFIX[check_choice("split", split, tuple(_PREFIX))]
    folder = _folder() if root is None else Path(root)
    images = _read_idx(folder / f"{prefix}-images-idx3-ubyte.xz")
    labels = _read_idx(folder / f"{prefix}-labels-idx1-ubyte.xz")
    return images, labels.astype(np.int64)


def mnist_subset(
    n: int,
    *,
    seed: int = 0,
    split: str = "train",
    pool: int = 1,
    normalise: str = "standard",
    targets: str = "integer",
    root: str | Path | None = None,
    device: str | torch.device = "cpu",
) -> Subset:
    r"""Draw `n` images, class-balanced: any two classes differ by at most one image.

    Classes take turns, so with one seed the smaller subset is the beginning of the larger one.

    Args:
        n: number of images.
        seed: of the draw.
        split: `train` or `test`.
        pool: side of the average-pooling window; a divisor of 28 (4 gives 7 x 7 = 49 inputs).
        normalise: `standard`, $(p / 255 - 0.1307) / 0.3081$; `raw`, $p / 255$ in $[0, 1]$; or
            `unit-norm`, the raw rows scaled to Euclidean norm 1.
        targets: `integer` labels or `one-hot` rows.
        root: the folder of the `.xz` files; by default those that ship with the project.
        device: where the tensors go.

    Raises:
        ValueError: if an option is unknown, or a class has too few images for a balanced draw.
    """
    check_count("n", n)
    check_count("seed", seed, least=0)
    check_choice("normalise", normalise, _NORMALISATIONS)
    check_choice("targets", targets, _TARGETS)
    if check_count("pool", pool) > _SIDE or _SIDE % pool:
        raise ValueError(f"pool is {pool}: choose a divisor of {_SIDE}")
    images, labels = load_mnist(split, root)
    indices = _balanced(labels, n, seed)
    raw = torch.from_numpy(images[indices]).to(torch.float64) / 255
    inputs = functional.avg_pool2d(raw.unsqueeze(1), pool).flatten(1)
    if normalise == "standard":
        inputs = (inputs - _MEAN) / _DEVIATION
    elif normalise == "unit-norm":
        inputs = inputs / torch.linalg.vector_norm(inputs, dim=1, keepdim=True)
    chosen = torch.from_numpy(labels[indices])
    one_hot = functional.one_hot(chosen, CLASSES).to(torch.float64)
    return Subset(
        name=f"mnist-{split}-n{n}-seed{seed}-pool{pool}-{normalise}",
        inputs=inputs.to(device),
        targets=(one_hot if targets == "one-hot" else chosen).to(device),
        labels=chosen.to(device),
        indices=torch.from_numpy(indices).to(device),
        fingerprint=fingerprint(inputs, chosen),
    )


def standardise(images: np.ndarray, dtype: torch.dtype = torch.float64) -> Tensor:
    r"""All images as rows $(p / 255 - 0.1307) / 0.3081$, shape (N, 784)."""
    return (torch.from_numpy(images).flatten(1).to(dtype) / 255 - _MEAN) / _DEVIATION


def noisy_labels(labels: Tensor, share: float, seed: int, classes: int = CLASSES) -> Tensor:
    """Labels of which exactly `round(share * n)` are replaced by one of the other classes.

    Args:
        labels: shape (n,), int64.
        share: of wrong labels, between 0 and 1.
        seed: of which labels change, and to what; a larger share changes more of the same labels.
        classes: how many there are.

    Raises:
        ValueError: if the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"label noise is {share}: give a share between 0 and 1")
    generator = torch.Generator().manual_seed(check_count("seed", seed, least=0))
    wrong = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    shift = torch.randint(1, classes, (len(labels),), generator=generator)
    noisy = labels.clone()
    noisy[wrong] = (labels[wrong] + shift[wrong].to(labels.device)) % classes
    return noisy


def fingerprint(*tensors: Tensor) -> str:
    """SHA-256 (hex) of the dtype, shape and bytes of the tensors, in order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = np.ascontiguousarray(tensor.detach().cpu().numpy())
        digest.update(f"{array.dtype.str}{tensor.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _folder() -> Path:
    for folder in _FOLDERS:
        if folder.is_dir():
            return folder
    raise ValueError(f"{_FOLDERS[-1]} is missing: reinstall the package or give root=FOLDER")


def _read_idx(path: Path) -> np.ndarray:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}): restore it or give root=FOLDER"
        ) from error
    if hashlib.sha256(packed).hexdigest() != SHA256[path.name]:
        raise ValueError(f"{path} differs from the published file (SHA-256): restore it")
    raw = lzma.decompress(packed)
    # The idx format: two zero bytes, the type (8 = uint8), the rank, then big-endian sizes.
    rank = raw[3]
    shape = np.frombuffer(raw, dtype=">u4", count=rank, offset=4)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape).copy()


def _balanced(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Row numbers of a balanced draw: in each round every class gives one image."""
    rng = np.random.default_rng(seed)
    members = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(CLASSES)]
    order = rng.permutation(CLASSES)
    rounds = min(len(rows) for rows in members)
    if n > CLASSES * rounds:
        raise ValueError(
            f"n is {n}: a balanced subset has at most {CLASSES * rounds} images; "
            "use load_mnist for the whole split"
        )
    return np.stack([members[digit][:rounds] for digit in order], axis=1).reshape(-1)[:n]
