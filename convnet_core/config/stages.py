"""The settings of each stage, and the presets. Standard library only.

Each class is frozen and keyword-only, and its constructor validates the fields. The defaults
are those of the preset `reference`, the original recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convnet_core.config.fields import Config, setting
from convnet_core.errors import ConfigError
from convnet_core.language import _


@dataclass(frozen=True, kw_only=True)
class DataConfig(Config):
    """The digits to train and test on."""

    source: str = setting(
        "strokes",
        "strokes (synthetic handwriting, no download), mnist, or a folder with the IDX files of MNIST, EMNIST, Kaggle "
        "or torchvision, or with an .npz file in the format of Keras",
        flag="data",
    )
    folder: str = setting(
        "", "folder of MNIST, downloaded if missing; default: $CONVNET_DATA_DIR, else a cache folder", flag="data-dir"
    )
    seed: int = setting(0, "seed for the synthetic handwriting", low=0, high=2**31 - 1, flag="data-seed")
    train_size: int = setting(0, "use only the first N training images; 0: all", low=0, high=1_000_000, unit="images")
    test_size: int = setting(0, "use only the first N test images; 0: all", low=0, high=1_000_000, unit="images")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """The network."""

    architecture: Literal["convnet", "deep"] = setting(
        "convnet",
        "convnet: one convolution and a linear layer; deep: three convolution blocks, more accurate and slower",
    )
    channels: int = setting(
        16, "output channels of the first convolution; more channels: more accurate, larger, slower", low=4, high=64
    )
    kernel: Literal[3, 5, 7] = setting(
        3, "width and height of the convolution kernels; larger: a wider view, but slower", unit="pixels"
    )


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(Config):
    """Random distortions of each training image; all zero: no augmentation."""

    rotation: float = setting(
        0.0,
        "rotate each image by up to this angle, to handle tilted writing",
        low=0,
        high=45,
        unit="degrees",
        flag="augment-rotation",
    )
    scaling: float = setting(
        0.0,
        "enlarge or shrink each image by up to this fraction, to handle other sizes",
        low=0,
        high=0.5,
        flag="augment-scaling",
    )
    shear: float = setting(
        0.0,
        "slant each image by up to this angle, to handle other handwriting",
        low=0,
        high=45,
        unit="degrees",
        flag="augment-shear",
    )
    shift: float = setting(
        0.0,
        "move each image by up to this distance, to handle digits that are off center",
        low=0,
        high=8,
        unit="pixels",
        flag="augment-shift",
    )

    def __bool__(self) -> bool:
        return any((self.rotation, self.scaling, self.shear, self.shift))


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """Everything that determines the result of a training."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    augment: AugmentConfig = AugmentConfig()
    epochs: int = setting(
        5, "passes over the training images; more epochs: more accurate up to a point, but slower", low=1, high=1000
    )
    batch_size: int = setting(
        50,
        "images per optimizer step; larger: faster epochs, but fewer steps",
        low=2,
        high=10_000,
        unit="images",
    )
    learning_rate: float = setting(
        0.001,
        "step size, or its peak if there is a schedule; too low: slow learning, too high: divergence",
        low=1e-6,
        high=10,
    )
    optimizer: Literal["adam", "adamw", "sgd"] = setting(
        "adam",
        "adam works without tuning, adamw decouples weight decay, sgd needs a higher learning rate",
    )
    schedule: Literal["constant", "onecycle", "cosine"] = setting(
        "constant", "how the learning rate changes: onecycle warms up, then anneals to nearly 0; cosine only anneals"
    )
    weight_decay: float = setting(0.0, "pulls the weights toward 0; a small value reduces overfitting", low=0, high=1)
    label_smoothing: float = setting(
        0.0,
        "fraction of the target that is spread over all digits; less confident, often more accurate",
        low=0,
        high=0.5,
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "arithmetic to train in; bfloat16 is faster on GPUs and on CPUs with AVX512-BF16"
    )
    validation_size: int = setting(
        0,
        "training images to hold out for validation after each epoch, which shows overfitting",
        low=0,
        high=100_000,
        unit="images",
    )
    seed: int = setting(
        0,
        "seed for initial weights, image order and augmentation; the same seed gives the same network",
        low=0,
        high=2**31 - 1,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where to train; auto: a GPU if there is one")
    cuda_graph: bool = setting(
        False, "on an NVIDIA GPU: capture a step once and replay it as a single launch; not yet tested on a GPU"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.data.train_size
        if size and self.validation_size + self.batch_size > size:
            raise ConfigError(
                _(
                    "validation size {size} and one batch of {batch} do not fit into {count} training images",
                    size=self.validation_size,
                    batch=self.batch_size,
                    count=size,
                ),
                hint=_("lower --validation-size or --batch-size, or raise --train-size"),
            )


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Config):
    """PyTorch → ONNX."""

    opset: int = setting(18, "version of the ONNX operator set; onnx-tf needs 18", low=18, high=23)
    fuse_batchnorm: bool = setting(True, "fold BatchNorm into the preceding convolution")


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(Config):
    """ONNX → TensorFlow and LiteRT."""

    converter: Literal["native", "onnx-tf"] = setting(
        "native", "which converter builds the TensorFlow graph: the built-in one, or onnx-tf (opset 18 only)"
    )
    calibration_size: int = setting(
        500, "training images that calibrate the ranges of the int8 tensors", low=1, high=10_000, unit="images"
    )
    seed: int = setting(0, "seed for choosing the calibration images", low=0, high=2**31 - 1, flag="calibration-seed")
    layout: Literal["nchw", "nhwc"] = setting(
        "nchw",
        "layout of image inputs and outputs: nchw as in ONNX, or nhwc (channels last), which adds no transposes",
    )
    int8_inputs: Literal["float32", "int8", "uint8"] = setting(
        "float32", "input type of the int8 file where the model takes float32; integers save the quantization step"
    )
    int8_outputs: Literal["float32", "int8", "uint8"] = setting(
        "float32", "output type of the int8 file where the model returns float32"
    )
    only: tuple[str, ...] = setting(
        (), "formats to write, default: all; separate them with commas, or repeat the flag", metavar="FORMAT,..."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout == "nhwc" and self.converter != "native":
            raise ConfigError(
                _("the converter {converter} does not support the layout nhwc", converter=self.converter),
                hint=_("leave out --layout or --converter"),
            )


@dataclass(frozen=True, kw_only=True)
class CompareConfig(Config):
    """What to compare, and which differences to tolerate."""

    rtol: float = setting(
        1e-4,
        "float32 passes if |error| ≤ atol + rtol × largest |output| of the sample; float16: 100 × both tolerances",
        low=0,
        high=1,
    )
    atol: float = setting(1e-5, "absolute part of the float32 tolerance", low=0, high=1)
    fp16_agreement: float = setting(0.999, "minimum fraction of equal labels on the test set, fp16", low=0, high=1)
    int8_agreement: float = setting(0.99, "minimum fraction of equal labels on the test set, int8", low=0, high=1)
    fp16_accuracy_drop: float = setting(0.001, "maximum loss of accuracy, fp16 (0.001: 0.1 points)", low=0, high=1)
    int8_accuracy_drop: float = setting(0.005, "maximum loss of accuracy, int8 (0.005: 0.5 points)", low=0, high=1)
    batch_sizes: tuple[int, ...] = setting((1, 2, 7, 64), "batch sizes to run each input set at", low=1, high=4096)
    full: bool = setting(
        False, "run the whole test set at every batch size, not 1,000 of its images at all sizes but the largest"
    )
    samples: int = setting(250, "samples each of noise and scaled inputs", low=1, high=100_000)
    seed: int = setting(0, "seed for the noise", low=0, high=2**31 - 1, flag="noise-seed")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig(Config):
    """How long to measure each runtime, and at which batch sizes."""

    batch_sizes: tuple[int, ...] = setting(
        (1, 8, 64, 512), "batch sizes to measure throughput at; latency is always measured at 1", low=1, high=4096
    )
    seconds: float = setting(
        0.5, "time to spend on each batch size; longer: less noise", low=0.01, high=60, unit="seconds"
    )
    warmup: int = setting(
        2, "warm-up calls before each measurement, which are not timed", low=0, high=100, unit="calls"
    )
    threads: int = setting(
        1, "threads per runtime; TensorFlow's SavedModel always uses one", low=1, high=256, unit="threads"
    )
    limit: float = setting(
        120.0, "stop a runtime after this time, and report what it measured", low=1, high=3600, unit="seconds"
    )
    seed: int = setting(0, "seed for the random inputs", low=0, high=2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class DissectConfig(Config):
    """Which conversion to dissect, and how thoroughly."""

    converter: Literal["native", "onnx-tf"] = setting("native", "converter whose result to dissect")
    lesson: Literal[
        "none",
        "train-mode",
        "flatten-order",
        "epsilon",
        "transposed",
        "int8-noise",
        "not-scaled",
        "frozen-batch",
        "opset",
    ] = setting("none", "a mistake to inject, to see how it shows up")
    samples: int = setting(8, "samples to compare every tensor on", low=1, high=256)
    images: int = setting(1000, "samples to search for labels that could flip", low=1, high=100_000)
    worst: Literal["auto", "yes", "no"] = setting(
        "auto",
        "whether to search for the input on which a runtime differs most; auto: not for a large network or a lesson",
    )
    steps: int = setting(20, "steps of the search for the worst input", low=0, high=1000)
    batch_sizes: tuple[int, ...] = setting((1, 2, 7, 32, 257), "batch sizes to run every artifact at", low=1, high=4096)
    seed: int = setting(0, "seed for choosing the samples", low=0, high=2**31 - 1, flag="dissect-seed")


_DEEP = TrainConfig(
    model=ModelConfig(architecture="deep", channels=32),
    batch_size=100,
    optimizer="adamw",
    schedule="onecycle",
    weight_decay=0.01,
    label_smoothing=0.1,
    validation_size=5000,
)

PRESETS: dict[str, TrainConfig] = {
    "reference": TrainConfig(),
    "fast": TrainConfig(epochs=1, learning_rate=0.006, schedule="onecycle", label_smoothing=0.1, validation_size=5000),
    "accurate": _DEEP.replace(
        augment=AugmentConfig(rotation=10.0, scaling=0.1, shear=10.0, shift=2.0), epochs=10, learning_rate=0.005
    ),
    "sample": _DEEP.replace(model=ModelConfig(architecture="deep", channels=16), epochs=1, learning_rate=0.01),
}
"""`reference`: the original recipe. `fast`: the same network in one epoch. `accurate`: DeepConvNet. `sample`: a smaller
DeepConvNet, trained in some 6 s on two CPU cores, for the app to start with."""

DEFAULT_PRESET, SAMPLE_PRESET = "fast", "sample"
