"""The story of each lesson, for people who meet the fault without knowing it: what they see, what it could be, and what
to do. Imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convnet_core.language import N_
from convnet_core.runtimes.specs import LITERT_INT8, ONNX_RUNTIME, PYTORCH, TENSORFLOW

RIGHT, WRONG, NONE = "+", "-", " "


@dataclass(frozen=True)
class Cause:
    """A possible cause, and why it is the right one or not."""

    text: str
    reply: str


@dataclass(frozen=True)
class Fix:
    """What to do, and the lines of code or the commands before and after."""

    text: str
    before: str
    after: str
    language: Literal["python", "bash"] = "python"


@dataclass(frozen=True)
class Story:
    """A lesson's story. `fault` is what the lesson puts into a copy of the run, and `symptom` what a user notices.

    `picture` sketches the symptom: rows of a label and ten answers, each RIGHT, WRONG or NONE. `causes[right]` is the
    true one. `seen_in` is the runtime whose answers show the symptom. All texts are translatable.
    """

    fault: str
    symptom: str
    picture: tuple[tuple[str, str], ...]
    causes: tuple[Cause, ...]
    right: int
    fix: Fix
    seen_in: str = TENSORFLOW.name


STORIES: dict[str, Story] = {
    "not-scaled": Story(
        fault=N_("pixels not scaled to [0, 1]"),
        symptom=N_("PyTorch and all float files agree, and all of them read fewer digits than in training."),
        picture=(("PyTorch", "++-+++-++-"), ("TensorFlow", "++-+++-++-")),
        causes=(
            Cause(
                N_("The conversion lost a layer"),
                N_("Then TensorFlow would answer differently from PyTorch. Here PyTorch makes the same mistakes."),
            ),
            Cause(
                N_("The network has only memorized its training images"),
                N_("In training it was tested on images that it had never seen, and read most of them."),
            ),
            Cause(
                N_("The pixels have other values than in training"),
                N_("When every runtime makes the same mistakes, look at what goes in before what is inside."),
            ),
            Cause(
                N_("The labels of the test images are mixed up"),
                N_("Then hardly any answer would be right. Here most still are."),
            ),
        ),
        right=2,
        fix=Fix(
            N_("Prepare the images as in training: pixels from 0 to 1, not from 0 to 255."),
            before="image = np.asarray(picture, np.float32)",
            after="image = np.asarray(picture, np.float32) / 255",
        ),
    ),
    "frozen-batch": Story(
        fault=N_("the batch frozen at 1"),
        symptom=N_("One image works. Two images at once are refused."),
        picture=((N_("1 image"), "+         "), (N_("2 images"), "--        ")),
        causes=(
            Cause(
                N_("A second image does not fit into memory"),
                N_("An image of a digit has 784 pixels. Thousands fit into memory."),
            ),
            Cause(
                N_("The number of images stands in the graph as a constant"),
                N_("It came from the example that the network was exported with: a batch of one image."),
            ),
            Cause(
                N_("This runtime accepts only one image at a time"),
                N_("The same runtime runs this run's own model at every batch size."),
            ),
            Cause(N_("The second image is damaged"), N_("Every batch of two is refused, whatever the images are.")),
        ),
        right=1,
        fix=Fix(
            N_(
                "Export with an example of at least two images and a dynamic batch, and keep the batch size out of "
                "reshapes."
            ),
            before='# in forward\nx = x.reshape(1, -1)\n\ntorch.onnx.export(model, (images[:1],), "model.onnx")',
            after="# in forward\nx = x.flatten(1)\n\n"
            'torch.onnx.export(model, (images[:2],), "model.onnx",\n'
            '                  dynamic_shapes=[{0: "batch"}])',
        ),
        seen_in=ONNX_RUNTIME.name,
    ),
    "train-mode": Story(
        fault=N_("exported in train mode"),
        symptom=N_("The accuracy on the test set is right, but a single image gets other scores than in PyTorch."),
        picture=((N_("in a batch"), "++++++++++"), (N_("one by one"), "++-+++-+++")),
        causes=(
            Cause(
                N_("float32 adds up rounding errors"),
                N_("Rounding is off by about one part in a million. This is thousands of times more."),
            ),
            Cause(
                N_("The graph mixes up the order of the images in a batch"),
                N_("Then a batch of one would be right, and a large batch wrong. It is the other way around."),
            ),
            Cause(N_("Another version of the weights was exported"), N_("Then large batches would be wrong as well.")),
            Cause(
                N_("A layer computes with the mean of the current batch"),
                N_(
                    "That is what BatchNorm does in training. A large batch has nearly the mean of all images; one "
                    "image does not."
                ),
            ),
        ),
        right=3,
        fix=Fix(
            N_("Switch to evaluation mode before the export: BatchNorm then uses the mean and variance from training."),
            before='torch.onnx.export(model, (images,), "model.onnx")',
            after='model.eval()\ntorch.onnx.export(model, (images,), "model.onnx")',
        ),
        seen_in=PYTORCH.name,
    ),
    "flatten-order": Story(
        fault=N_("flattened channels last, weights for channels first"),
        symptom=N_("The converted file loads and runs, but its answers are no better than guesses."),
        picture=(("PyTorch", "++++++++++"), ("TensorFlow", "----+-----")),
        causes=(
            Cause(
                N_("The values of an image are lined up in an order that the last layer does not expect"),
                N_(
                    "TensorFlow keeps channels last, PyTorch first. The layer has the right weights and multiplies "
                    "them with the wrong values."
                ),
            ),
            Cause(
                N_("The file was saved before the weights were loaded"),
                N_("Then the first layer would be wrong too. Its values match."),
            ),
            Cause(N_("The pixels are not scaled"), N_("Then PyTorch would fail on the same images. It reads them.")),
            Cause(
                N_("Rounding to float16"),
                N_("The float32 file is just as wrong, and float16 alone changes hardly any answer."),
            ),
        ),
        right=0,
        fix=Fix(
            N_("Put the weights of the layer after the flattening into the order of the values."),
            before="dense.set_weights([weight.T, bias])",
            after="weight = weight.reshape(-1, c, h, w).transpose(0, 2, 3, 1)\n"
            "dense.set_weights([weight.reshape(len(bias), -1).T, bias])",
        ),
    ),
    "transposed": Story(
        fault=N_("a kernel transposed"),
        symptom=N_("The converted file reads some digits: too many for a guess, too few for this network."),
        picture=(("PyTorch", "++++++++++"), ("TensorFlow", "-++--+-+--")),
        causes=(
            Cause(
                N_("The labels are in another order"),
                N_("Then every digit would turn into the same other digit each time."),
            ),
            Cause(N_("8 bits are too few for the weights"), N_("The float32 file makes the same mistakes.")),
            Cause(
                N_("The rows and columns of a convolution's kernel are swapped"),
                N_(
                    "A square kernel has the same shape either way, so nothing complains. Strokes that look alike when "
                    "mirrored are still read."
                ),
            ),
            Cause(N_("TensorFlow gets other images"), N_("All runtimes get the same array.")),
        ),
        right=2,
        fix=Fix(
            N_("Transpose the kernel from PyTorch's order to TensorFlow's: height, width, input, output."),
            before="kernel = weight.transpose(3, 2, 1, 0)  # width, height, input, output",
            after="kernel = weight.transpose(2, 3, 1, 0)  # height, width, input, output",
        ),
    ),
    "epsilon": Story(
        fault=N_("another BatchNorm epsilon"),
        symptom=N_("ONNX and all converted files agree. Only PyTorch gives some other answers."),
        picture=(("PyTorch", "+++++-++++"), ("TensorFlow", "++++++++++")),
        causes=(
            Cause(
                N_("The converter to TensorFlow makes a mistake"),
                N_("The ONNX file already has the error, before anything is converted."),
            ),
            Cause(
                N_("ONNX Runtime computes convolutions less precisely"),
                N_("TensorFlow computes them by itself and gives the same answers; and rounding is far smaller."),
            ),
            Cause(
                N_("The network was trained further after the export"),
                N_("Then the last layer would be wrong too. Only weights that took in a BatchNorm are."),
            ),
            Cause(
                N_("A constant of the network was different when it was exported"),
                N_("The ε of a BatchNorm is no weight: a file of weights does not have it, and the code decides."),
            ),
        ),
        right=3,
        fix=Fix(
            N_(
                "Build the network with the ε that it was trained with, and export it again. Keras has another default."
            ),
            before="model = Net(eps=0.05)\nmodel.load_state_dict(weights)  # has no eps",
            after="model = Net(eps=1e-5)\nmodel.load_state_dict(weights)",
        ),
        seen_in=PYTORCH.name,
    ),
    "int8-noise": Story(
        fault=N_("int8 calibrated on noise"),
        symptom=N_("All float files are right. Only the int8 file is wrong, and often."),
        picture=(("float32", "++++++++++"), ("int8", "+-++-+--++")),
        causes=(
            Cause(
                N_("8 bits are too few for this network"),
                N_("This run's own int8 file has the same weights in 8 bits, and is right."),
            ),
            Cause(
                N_("The ranges of the values were measured on data unlike digits"),
                N_("Values outside of a range are cut off. Noise that is too weak makes the ranges too small."),
            ),
            Cause(
                N_("LiteRT computes int8 wrongly on this machine"),
                N_("The same LiteRT runs this run's own int8 file, and is right."),
            ),
            Cause(N_("The test images are too dark"), N_("Then the float files would be wrong too.")),
        ),
        right=1,
        fix=Fix(
            N_("Calibrate on samples like those that the network will see: some hundred training images."),
            before="samples = rng.standard_normal((200, 28, 28, 1), np.float32) * 0.05\n"
            "converter.representative_dataset = lambda: ([x[None]] for x in samples)",
            after="samples = train_images[:200]\n"
            "converter.representative_dataset = lambda: ([x[None]] for x in samples)",
        ),
        seen_in=LITERT_INT8.name,
    ),
    "opset": Story(
        fault=N_("an operator version that onnx-tf does not support"),
        symptom=N_("The converter stops and writes no file, although ONNX Runtime runs the model."),
        picture=(("ONNX Runtime", "++++++++++"), ("TensorFlow", "          ")),
        causes=(
            Cause(
                N_("The file uses a newer version of an operator than the converter knows"),
                N_("Operators change from one version of ONNX to the next. A converter knows some of the versions."),
            ),
            Cause(N_("The ONNX file is damaged"), N_("ONNX Runtime opens it and gives PyTorch's answers.")),
            Cause(
                N_("TensorFlow has no such operator"),
                N_("It is a Reshape, which every library has; and the other converter converts it."),
            ),
            Cause(
                N_("The converter needs the source code of the network"),
                N_("An ONNX file has all that a converter needs: the graph and the weights."),
            ),
        ),
        right=0,
        fix=Fix(
            N_("Export at an older version of the operators, or choose the other converter."),
            before="python -m convnet_core export --run runs/mine --opset 20\n"
            "python -m convnet_core convert --run runs/mine --converter onnx-tf",
            after="python -m convnet_core export --run runs/mine --opset 18\n"
            "python -m convnet_core convert --run runs/mine --converter onnx-tf",
            language="bash",
        ),
        seen_in=PYTORCH.name,
    ),
}
"""By the name of the lesson, in the order of the course."""
