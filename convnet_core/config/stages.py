"""The settings of every stage, and the presets. Standard library only.

Each class is frozen, keyword-only and validated when made. Defaults are those of the preset
`reference`, the original recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convnet_core.config.fields import Config, setting
from convnet_core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DataConfig(Config):
    """Which digits to train and test on."""

    source: str = setting(
        "strokes",
        "strokes (handwriting that is generated here, no download), mnist, or a folder of IDX files as MNIST, EMNIST, "
        "Kaggle or torchvision have them, or an .npz as Keras has it",
        flag="data",
    )
    folder: str = setting(
        "", "where MNIST is or is downloaded to; default: $CONVNET_DATA_DIR, else a cache folder", flag="data-dir"
    )
    seed: int = setting(0, "seed of the generated handwriting", low=0, high=2**31 - 1, flag="data-seed")
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
        16, "output channels of the first convolution; more: more accurate, larger and slower", low=4, high=64
    )
    kernel: Literal[3, 5, 7] = setting(
        3, "side of the convolution kernels; larger: sees more at once, and is slower", unit="pixels"
    )


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(Config):
    """Random distortions of each training image; all zero means none."""

    rotation: float = setting(
        0.0,
        "turn each image by up to this angle; trains for tilted writing",
        low=0,
        high=45,
        unit="degrees",
        flag="augment-rotation",
    )
    scaling: float = setting(
        0.0,
        "grow or shrink each image by up to this share; trains for other sizes",
        low=0,
        high=0.5,
        flag="augment-scaling",
    )
    shear: float = setting(
        0.0,
        "slant each image by up to this angle; trains for other hands",
        low=0,
        high=45,
        unit="degrees",
        flag="augment-shear",
    )
    shift: float = setting(
        0.0,
        "move each image by up to this much; trains for digits off the centre",
        low=0,
        high=8,
        unit="pixels",
        flag="augment-shift",
    )

    def __bool__(self) -> bool:
        return any((self.rotation, self.scaling, self.shear, self.shift))


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """Everything that decides what comes out of a training."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    augment: AugmentConfig = AugmentConfig()
    epochs: int = setting(
        5, "passes over the training images; more: more accurate up to a point, and longer", low=1, high=1000
    )
    batch_size: int = setting(
        50,
        "images for each step of the optimizer; larger: faster epochs, fewer steps to learn in",
        low=2,
        high=10_000,
        unit="images",
    )
    learning_rate: float = setting(
        0.001, "length of a step, with a schedule its peak; too low learns slowly, too high diverges", low=1e-6, high=10
    )
    optimizer: Literal["adam", "adamw", "sgd"] = setting(
        "adam",
        "how gradients become steps; adam works untuned, adamw has true weight decay, sgd wants a higher rate",
    )
    schedule: Literal["constant", "onecycle", "cosine"] = setting(
        "constant", "how the learning rate moves: onecycle warms up and anneals to nearly 0, cosine only anneals"
    )
    weight_decay: float = setting(
        0.0, "pull of the weights towards 0; a little of it keeps a network from learning by heart", low=0, high=1
    )
    label_smoothing: float = setting(
        0.0,
        "share of the target that is spread over all digits; makes the network less sure, and often more accurate",
        low=0,
        high=0.5,
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "of the arithmetic; bfloat16 pays on GPUs and on CPUs that have AVX512-BF16"
    )
    validation_size: int = setting(
        0,
        "training images held out to validate on after each epoch; shows whether the network learns by heart",
        low=0,
        high=100_000,
        unit="images",
    )
    seed: int = setting(
        0,
        "of initial weights, order of the images and augmentation; the same seed gives the same network",
        low=0,
        high=2**31 - 1,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where to train; auto: a GPU when there is one")
    cuda_graph: bool = setting(
        False, "on an NVIDIA GPU: record a whole step once, and replay it as one launch; not yet tried on a GPU"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.data.train_size
        if size and self.validation_size + self.batch_size > size:
            raise ConfigError(
                f"validation size {self.validation_size} and one batch of {self.batch_size} do not fit "
                f"into {size} training images",
                hint="lower --validation-size or --batch-size, or raise --train-size",
            )


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Config):
    """PyTorch → ONNX."""

    opset: int = setting(18, "version of the ONNX operator set; onnx-tf converts 18", low=18, high=23)
    fuse_batchnorm: bool = setting(True, "fold BatchNorm into the convolution before it")


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(Config):
    """ONNX → TensorFlow and LiteRT."""

    converter: Literal["native", "onnx-tf"] = setting(
        "native", "what makes the TensorFlow graph: the project's own converter, or onnx-tf (opset 18 alone)"
    )
    calibration_size: int = setting(
        500, "training images that fix the ranges of the int8 tensors", low=1, high=10_000, unit="images"
    )
    seed: int = setting(0, "which training images calibrate", low=0, high=2**31 - 1, flag="calibration-seed")
    layout: Literal["nchw", "nhwc"] = setting(
        "nchw",
        "of images that go in and come out: nchw as in ONNX, nhwc channels last, without a transpose at the borders",
    )
    int8_inputs: Literal["float32", "int8", "uint8"] = setting(
        "float32", "what the int8 file takes where the model takes float32; whole numbers save it the first step"
    )
    int8_outputs: Literal["float32", "int8", "uint8"] = setting(
        "float32", "what the int8 file gives where the model gives float32"
    )
    only: tuple[str, ...] = setting(
        (), "write these formats alone, all without it; separated by commas, or repeat the flag", metavar="FORMAT,..."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout == "nhwc" and self.converter != "native":
            raise ConfigError(
                f"the layout nhwc is one of the native converter, not of {self.converter}",
                hint="leave --layout or --converter out",
            )


@dataclass(frozen=True, kw_only=True)
class CompareConfig(Config):
    """What is compared, and what counts as the same answer."""

    rtol: float = setting(
        1e-4,
        "float32 passes when |error| ≤ atol + rtol × largest |output| of the sample; float16 has 100 × both",
        low=0,
        high=1,
    )
    atol: float = setting(1e-5, "absolute part of the float32 tolerance", low=0, high=1)
    fp16_agreement: float = setting(0.999, "least share of equal labels for fp16, on the test set", low=0, high=1)
    int8_agreement: float = setting(0.99, "least share of equal labels for int8, on the test set", low=0, high=1)
    fp16_accuracy_drop: float = setting(0.001, "largest loss of accuracy for fp16 (0.001: 0.1 points)", low=0, high=1)
    int8_accuracy_drop: float = setting(0.005, "largest loss of accuracy for int8 (0.005: 0.5 points)", low=0, high=1)
    batch_sizes: tuple[int, ...] = setting((1, 2, 7, 64), "batch sizes to run each input set at", low=1, high=4096)
    samples: int = setting(1000, "samples of noise, of zeros and of scaled inputs", low=1, high=100_000)
    seed: int = setting(0, "seed of the noise", low=0, high=2**31 - 1, flag="noise-seed")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig(Config):
    """How long, and at which batch sizes, every runtime is measured."""

    batch_sizes: tuple[int, ...] = setting(
        (1, 8, 64, 512), "batch sizes to measure throughput at; latency is measured at 1 in any case", low=1, high=4096
    )
    seconds: float = setting(
        0.5, "time to spend on each batch size; longer is steadier", low=0.01, high=60, unit="seconds"
    )
    warmup: int = setting(
        2, "calls before each measurement that do not count, as the first ones are slow", low=0, high=100, unit="calls"
    )
    threads: int = setting(
        1, "threads that a runtime may use; TensorFlow's SavedModel keeps to one", low=1, high=256, unit="threads"
    )
    limit: float = setting(
        120.0, "give a runtime up after this long, and keep what was measured", low=1, high=3600, unit="seconds"
    )
    seed: int = setting(0, "seed of the random inputs", low=0, high=2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class DissectConfig(Config):
    """What is taken apart, and how closely it is looked at."""

    converter: Literal["native", "onnx-tf"] = setting("native", "whose conversion is taken apart")
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
    ] = setting("none", "a fault to put in, to see what it looks like")
    samples: int = setting(8, "samples that every tensor is compared on", low=1, high=256)
    images: int = setting(1000, "samples to look for labels that could flip in", low=1, high=100_000)
    steps: int = setting(20, "steps of the search for the worst input", low=0, high=1000)
    batch_sizes: tuple[int, ...] = setting((1, 2, 7, 32, 257), "batch sizes to run every artefact at", low=1, high=4096)
    seed: int = setting(0, "which samples", low=0, high=2**31 - 1, flag="dissect-seed")


_FINE = AugmentConfig(rotation=10.0, scaling=0.1, shear=10.0, shift=2.0)

PRESETS: dict[str, TrainConfig] = {
    "reference": TrainConfig(),
    "fast": TrainConfig(epochs=1, learning_rate=0.006, schedule="onecycle", label_smoothing=0.1, validation_size=5000),
    "accurate": TrainConfig(
        model=ModelConfig(architecture="deep", channels=32),
        augment=_FINE,
        epochs=10,
        batch_size=100,
        learning_rate=0.005,
        optimizer="adamw",
        schedule="onecycle",
        weight_decay=0.01,
        label_smoothing=0.1,
        validation_size=5000,
    ),
}
"""`reference`: the original recipe. `fast`: the same network in one epoch. `accurate`: DeepConvNet."""

DEFAULT_PRESET = "fast"
