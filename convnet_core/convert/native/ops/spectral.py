"""Fourier transforms, window functions and mel weights. Complex numbers are pairs in the last dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.dtypes import HALVES, as_dtype, cast_around
from convnet_core.convert.native.helpers.tensors import as_scalar, size_of, swap_axes
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _


@handles("DFT", 20)
def dft(x: Any, length: Any = None, axis: Any = None, *, inverse: int = 0, onesided: int = 0) -> Any:
    position = -2 if axis is None else as_scalar(axis)
    size = None if length is None else tf.cast(as_scalar(length), tf.int32)
    complex_input = _is_complex(x)

    def transform(x: Any) -> Any:
        return swap_axes(
            _transform(swap_axes(x, position, -2), complex_input, size, bool(inverse), bool(onesided)), position, -2
        )

    if not inverse:  # float64, so that zeros in a spectrum stay zeros, as ONNX's tests expect
        return cast_around(transform, x, when=HALVES | {"float32"}, to=tf.float64)
    return cast_around(transform, x, when=HALVES, to=tf.float32)


@handles("DFT", 17)
def dft_along(x: Any, length: Any = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0) -> Any:
    return dft(x, length, np.array(axis), inverse=inverse, onesided=onesided)


def _is_complex(x: Any) -> bool:
    """Whether the input is complex."""
    size = x.shape[-1]
    if size is None:
        raise ConversionError(_("its last dimension is unknown, so its input may be real or complex"))
    return bool(size == 2)


def _transform(x: Any, complex_input: bool, size: Any, inverse: bool, onesided: bool) -> Any:
    """Transform along the second to last dimension, cropped or padded to `size`."""
    if onesided and inverse:
        count = 2 * (tf.shape(x)[-2] - 1) if size is None else size
        return tf.signal.irfft(tf.complex(x[..., 0], x[..., 1]), [count])[..., None]
    x = x if size is None else _crop_or_pad(tf.convert_to_tensor(x), size)
    if onesided and not complex_input:
        return _as_pairs(tf.signal.rfft(x[..., 0]))
    values = tf.complex(x[..., 0], x[..., 1] if complex_input else tf.zeros_like(x[..., 0]))
    result = tf.signal.ifft(values) if inverse else tf.signal.fft(values)
    return _as_pairs(result[..., : tf.shape(x)[-2] // 2 + 1] if onesided else result)


def _crop_or_pad(x: Any, size: Any) -> Any:
    x = x[..., :size, :]
    after = tf.reshape(size - tf.shape(x)[-2], [1, 1])
    return tf.pad(x, tf.pad(after, [[x.shape.rank - 2, 1], [1, 0]]))


def _as_pairs(values: Any) -> Any:
    return tf.stack([tf.math.real(values), tf.math.imag(values)], -1)


@handles("STFT", 17)
def stft(signal: Any, frame_step: Any, window: Any = None, frame_length: Any = None, *, onesided: int = 1) -> Any:
    """[batch, length, 1 or 2] -> [batch, frames, frequencies, 2]."""
    if frame_length is not None:
        length = as_scalar(frame_length)
    else:
        length = size_of(signal, 1) if window is None else size_of(window, 0)
    length, step = tf.cast(length, tf.int32), tf.cast(as_scalar(frame_step), tf.int32)
    complex_input = _is_complex(signal)

    def transform(signal: Any, *window: Any) -> Any:
        frames = tf.signal.frame(signal, length, step, axis=1)
        weighted = frames * window[0][:, None] if window else frames
        return _transform(weighted, complex_input, None, False, bool(onesided))

    operands = (signal,) if window is None else (signal, window)
    return cast_around(transform, *operands, when=HALVES, to=tf.float32)


@handles("HannWindow", 17)
def hann_window(size: Any, *, output_datatype: int = 1, periodic: int = 1) -> Any:
    return _window(size, (0.5, -0.5), output_datatype, periodic)


@handles("HammingWindow", 17)
def hamming_window(size: Any, *, output_datatype: int = 1, periodic: int = 1) -> Any:
    return _window(size, (25 / 46, -21 / 46), output_datatype, periodic)


@handles("BlackmanWindow", 17)
def blackman_window(size: Any, *, output_datatype: int = 1, periodic: int = 1) -> Any:
    return _window(size, (0.42, -0.5, 0.08), output_datatype, periodic)


def _window(size: Any, weights: tuple[float, ...], dtype: int, periodic: int) -> Any:
    """A window function as a sum of cosines."""
    count = tf.cast(as_scalar(size), tf.float64)
    angle = tf.range(count, dtype=tf.float64) * (2 * np.pi) / (count if periodic else count - 1)
    return tf.cast(sum(weight * tf.cos(order * angle) for order, weight in enumerate(weights)), as_dtype(dtype))


@handles("MelWeightMatrix", 17)
def mel_weight_matrix(
    num_mel_bins: Any,
    dft_length: Any,
    sample_rate: Any,
    lower_edge_hertz: Any,
    upper_edge_hertz: Any,
    *,
    output_datatype: int = 1,
) -> Any:
    """Triangular filters with a peak of 1 over the frequencies of a spectrum."""
    bins, length, rate, low, high = (
        tf.cast(as_scalar(value), tf.float64)
        for value in (num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz)
    )
    mel, hertz = _mel(low), tf.range(bins + 2, dtype=tf.float64)
    hertz = 700 * tf.math.expm1((mel + hertz * (_mel(high) - mel) / (bins + 2)) * (np.log(10) / 2595))
    edges = tf.floor((length + 1) * hertz / rate)
    left, peak, right = edges[:-2], edges[1:-1], edges[2:]
    freqs = tf.range(tf.floor(length / 2) + 1, dtype=tf.float64)[:, None]
    rising = tf.math.divide_no_nan(freqs - left, peak - left) * _as_float((freqs >= left) & (freqs < peak))
    falling = tf.math.divide_no_nan(right - freqs, right - peak) * _as_float((freqs > peak) & (freqs < right))
    return tf.cast(rising + _as_float(tf.equal(freqs, peak)) + falling, as_dtype(output_datatype))


def _mel(hertz: Any) -> Any:
    return 2595 / np.log(10) * tf.math.log1p(hertz / 700)


def _as_float(condition: Any) -> Any:
    return tf.cast(condition, tf.float64)
