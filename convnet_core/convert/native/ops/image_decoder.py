"""Decoding of image files."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _

_BYTES = [bytes([value]) for value in range(256)]
_LUMA = (19595, 38470, 7471)
"""Luma weights of red, green and blue, in units of 1/65,536: ITU-R 601-2 as in Pillow, which made ONNX's examples."""


@handles("ImageDecoder", 20)
def image_decoder(encoded_stream: Any, *, pixel_format: str = "RGB") -> Any:
    """Decodes JPEG, PNG, BMP, GIF and WebP. Other formats fail at run time, when the bytes are known."""
    if pixel_format not in ("RGB", "BGR", "Grayscale"):
        raise ConversionError(_("unknown pixel_format {pixel_format!r}", pixel_format=pixel_format))
    content = tf.strings.reduce_join(tf.gather(tf.constant(_BYTES), tf.cast(encoded_stream, tf.int32)))
    image = tf.cond(tf.io.is_jpeg(content), lambda: _jpeg(content), lambda: _other_formats(content))
    image = tf.ensure_shape(image, [None, None, 3])
    if pixel_format == "Grayscale":
        parts = tf.reduce_sum(tf.cast(image, tf.int32) * tf.constant(_LUMA), -1, keepdims=True)
        return tf.cast((parts + 32768) // 65536, tf.uint8)
    return tf.reverse(image, [-1]) if pixel_format == "BGR" else image


def _jpeg(content: Any) -> Any:
    return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")


def _other_formats(content: Any) -> Any:
    return tf.io.decode_image(content, channels=3, expand_animations=False)
