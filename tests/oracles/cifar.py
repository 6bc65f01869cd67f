"""Files in the format of CIFAR-10, written as Python 2 wrote the originals."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import tarfile
from typing import ClassVar

import numpy as np

FOLDER = "cifar-10-batches-py"
SPLITS = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with byte strings as themselves (opcode T), the only strings Python 2 had."""

    def save_bytes(self, text):
        self.write(b"T" + struct.pack("<i", len(text)) + text)
        self.memoize(text)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_bytes}
    dispatch[str] = lambda self, text: self.save_bytes(text.encode())


def pickled(value):
    """The bytes; numpy's private module under the name it had then."""
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def batches(per_batch=4, seed=0):
    """Name -> (images, labels) of tiny batches, label by brightness so that there is a pattern."""
    rng = np.random.default_rng(seed)
    found = {}
    for name in (name for names in SPLITS.values() for name in names):
        labels = rng.integers(0, 10, per_batch)
        noise = rng.integers(0, 30, (per_batch, 3072))
        found[name] = ((20 * labels[:, None] + noise).astype(np.uint8), labels.tolist())
    return found


def files(content):
    """Name -> bytes of the batch files."""
    return {
        name: pickled(
            {
                b"batch_label": name.encode(),
                b"labels": labels,
                b"data": images,
                b"filenames": [b"image_%d.png" % k for k in range(len(labels))],
            }
        )
        for name, (images, labels) in content.items()
    }


def write_folder(root, content):
    """Unpacked; returns name -> MD5."""
    (root / FOLDER).mkdir(parents=True)
    for name, data in files(content).items():
        (root / FOLDER / name).write_bytes(data)
    return {name: hashlib.md5(data).hexdigest() for name, data in files(content).items()}


def write_archive(root, content):
    """Packed; returns name -> MD5."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files(content).items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest()}
