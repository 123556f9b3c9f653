"""Small data sets in the IDX format of MNIST."""

import gzip
import struct

import numpy as np

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array, magic=None):
    header = bytes([0, 0, 8, array.ndim]) if magic is None else magic
    return header + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def write_folder(folder, rng, train=30, test=20, zipped=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", train), ("t10k", test)):
        files = {
            f"{name}-images-idx3-ubyte": idx(rng.integers(0, 256, (count, 28, 28), np.uint8)),
            f"{name}-labels-idx1-ubyte": idx(rng.integers(0, 10, count, np.uint8)),
        }
        for file, content in files.items():
            if zipped:
                (folder / f"{file}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / file).write_bytes(content)
    return folder
