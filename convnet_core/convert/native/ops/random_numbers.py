"""Random numbers: same distribution as in other runtimes, but not the same values."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.dtypes import as_dtype
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


def _seed(seed: float | None) -> int | None:
    """An integer seed from the bits of ONNX's float seed."""
    return None if seed is None else int(np.float32(seed).view(np.int32))


@handles("RandomNormal", 1, 22, random=True)
def random_normal(
    *, shape: list[int], dtype: Any = None, mean: float = 0.0, scale: float = 1.0, seed: float | None = None
) -> Any:
    return tf.random.normal(shape, mean, scale, as_dtype(dtype or "float32"), _seed(seed))


@handles("RandomNormalLike", 1, 22, random=True)
def random_normal_like(
    x: Any, *, dtype: Any = None, mean: float = 0.0, scale: float = 1.0, seed: float | None = None
) -> Any:
    return tf.random.normal(tf.shape(x), mean, scale, as_dtype(dtype or x.dtype), _seed(seed))


@handles("RandomUniform", 1, 22, random=True)
def random_uniform(
    *, shape: list[int], dtype: Any = None, low: float = 0.0, high: float = 1.0, seed: float | None = None
) -> Any:
    return tf.random.uniform(shape, low, high, as_dtype(dtype or "float32"), _seed(seed))


@handles("RandomUniformLike", 1, 22, random=True)
def random_uniform_like(
    x: Any, *, dtype: Any = None, low: float = 0.0, high: float = 1.0, seed: float | None = None
) -> Any:
    return tf.random.uniform(tf.shape(x), low, high, as_dtype(dtype or x.dtype), _seed(seed))


@handles("Bernoulli", 15, 22, random=True)
def bernoulli(x: Any, *, dtype: Any = None, seed: float | None = None) -> Any:
    samples = tf.random.uniform(tf.shape(x), dtype=x.dtype, seed=_seed(seed))
    return tf.cast(samples < x, as_dtype(dtype or x.dtype))


@handles("Multinomial", 7, 22, random=True)
def multinomial(x: Any, *, dtype: Any = None, sample_size: int = 1, seed: float | None = None) -> Any:
    return tf.random.categorical(x, sample_size, as_dtype(dtype or "int32"), _seed(seed))
