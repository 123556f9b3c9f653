"""Photographs with uneven light, frames, lines, colors or several digits, compared with the digit on plain paper."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from convnet_core.data import shapes
from convnet_core.data.drawing import prepare
from convnet_core.data.picture import brightness
from convnet_core.data.strokes import generate
from convnet_core.errors import DataError
from convnet_core.networks.convnet import from_weights
from testing import sheets
from testing.drawings import drawings
from tests.support.marks import few_quick

COUNT = 60


@pytest.fixture(scope="module")
def digit_drawings():
    return drawings(COUNT, seed=11)


@pytest.fixture(scope="module")
def network(trained_run):
    path = trained_run.path / "train/model.safetensors"
    return from_weights(load_file(path), path.name)[1].eval()


def prepare_or_none(picture):
    """The prepared picture, or None if it is refused."""
    try:
        return prepare(picture)
    except DataError:
        return None


def count_errors(digit_drawings, network, lighting, marks):
    """How many digits are misread or refused."""
    rng = np.random.default_rng(3)
    images, digits = digit_drawings
    results = [prepare_or_none(sheets.sheet(image, lighting, marks, rng)) for image in images]
    batch = np.stack([np.zeros((28, 28), np.float32) if image is None else image for image in results])
    with torch.no_grad():
        labels = network(torch.from_numpy(batch[:, None])).argmax(1).numpy()
    return sum(image is None or label != digit for image, label, digit in zip(results, labels, digits, strict=True))


@pytest.fixture(scope="module")
def even_light_errors(digit_drawings, network):
    return count_errors(digit_drawings, network, "even", "plain")


@pytest.mark.parametrize(
    ("lighting", "marks"),
    few_quick(
        [
            ("linear", "plain"),
            ("radial", "plain"),
            ("edge", "plain"),
            ("corner", "plain"),
            ("even", "ruled"),
            ("even", "squared"),
            ("edge", "squared"),
            ("linear", "frame"),
            ("edge", "border"),
        ],
        ("edge", "squared"),
    ),
)
def test_a_sheet_is_read_as_under_even_light(digit_drawings, network, even_light_errors, lighting, marks):
    assert count_errors(digit_drawings, network, lighting, marks) - even_light_errors <= 0.02 * COUNT


@pytest.mark.parametrize("marks", sheets.MARKS)
@pytest.mark.parametrize("lighting", sheets.LIGHTS)
def test_a_blank_sheet_has_no_digit(lighting, marks):
    blank = np.full((280, 280), 255, np.uint8)
    for seed in range(40, 44):
        with pytest.raises(DataError, match="no digit"):
            prepare(sheets.sheet(blank, lighting, marks, np.random.default_rng(seed)))


@pytest.mark.parametrize("lighting", ["linear", "radial"])
def test_faint_pencil_is_read_like_ink(lighting):
    for digit in range(10):
        pencil = (255 - 64 * ink(digit)).astype(np.uint8)
        result = prepare(sheets.sheet(pencil, lighting, "plain", np.random.default_rng(digit)))
        assert np.abs(result - prepare(ink(digit))).mean() < 0.07


def ink(digit, seed=11):
    """One drawing, ink 1 on 0, float32 [280, 280]."""
    images, digits = drawings(20, seed=seed)
    image = images[int(np.flatnonzero(digits == digit)[0])] / np.float32(255)
    return image if image[0, 0] < 0.5 else 1 - image


@pytest.mark.parametrize(
    ("pen", "paper"), [((225, 0, 0), (0, 115, 0)), ((255, 230, 0), (255, 255, 255)), ((0, 0, 255), (76, 0, 0))]
)
def test_a_color_as_bright_as_its_paper_is_ink(pen, paper):
    cover = ink(5)[..., None]
    picture = cover * np.array(pen, np.float32) + (1 - cover) * np.array(paper, np.float32)
    result = prepare(brightness(Image.fromarray(picture.astype(np.uint8))))
    assert np.abs(result - prepare(ink(5))).mean() < 0.02


def test_chalk_under_uneven_light():
    board = (0.12 + 0.7 * ink(3)) * sheets.light("linear", np.random.default_rng(1), side=280)
    assert np.abs(prepare(board.astype(np.float32)) - prepare(ink(3))).mean() < 0.03


def crop(drawing, margin=0):
    """The part with ink, with a margin of this many pixels."""
    rows, columns = np.flatnonzero(drawing.any(1)), np.flatnonzero(drawing.any(0))
    return np.pad(drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], margin)


def test_a_stem_from_top_to_bottom_is_not_a_printed_line():
    one = crop(ink(1, seed=7))
    sides = ((0, 0), (60, 60))
    expected = prepare(np.pad(one, 40))
    assert np.abs(prepare(1 - np.pad(one, sides)) - expected).mean() < 0.02
    uneven = (1 - np.pad(0.8 * one, sides)) * sheets.light("linear", np.random.default_rng(1), side=len(one))[:, :200]
    assert np.abs(prepare(uneven.astype(np.float32)) - expected).mean() < 0.04


def test_dots_left_by_removed_lines_are_not_part_of_a_digit():
    bar = np.zeros((300, 300), np.float32)
    bar[100:200, 140:160] = 1
    dots = np.zeros_like(bar)
    dots[10:290:39, 10:290:39] = 0.3  # too small for the scale at which shapes are detected
    np.testing.assert_array_equal(shapes.digit(np.maximum(bar, dots), 0.1, photograph=True), bar)


def test_a_stroke_over_the_edge_of_the_pad_is_prepared_as_usual():
    cut = 1 - ink(0)[:, 30:]
    first = np.flatnonzero((cut < 0.5).any(0))[0]
    cut = cut[:, first + 5 :]
    rows = np.flatnonzero((cut < 0.5).any(1))
    plain = np.pad(cut, ((0, 0), (40, 0)), constant_values=1.0)
    assert rows.size
    np.testing.assert_array_equal(prepare(cut), prepare(plain))


@pytest.mark.parametrize("digits", [(1, 0), (1, 1), (4, 7), (2, 3, 8)])
def test_several_digits_are_refused(digits):
    rows = [ink(digit) for digit in digits]
    cut = [row[:, np.flatnonzero(row.any(0))[0] - 10 : np.flatnonzero(row.any(0))[-1] + 30] for row in rows]
    with pytest.raises(DataError, match="several digits"):
        prepare(np.pad(np.concatenate(cut, axis=1), 20))


@pytest.mark.parametrize("gap", [0.2, 0.4, 0.7])
@pytest.mark.parametrize("digits", [(1, 1), (0, 2), (5, 7)])
def test_digits_below_each_other_are_refused(digits, gap):
    parts = [crop(ink(digit)) for digit in digits]
    upper, lower = (Image.fromarray(part).resize((round(100 * part.shape[1] / len(part)), 100)) for part in parts)
    picture = np.zeros((200 + round(100 * gap), max(upper.width, lower.width)), np.float32)
    picture[:100, : upper.width] = upper
    picture[-100:, : lower.width] = lower
    with pytest.raises(DataError, match="several digits: 2"):
        prepare(np.pad(picture, 40))


def test_a_sheet_of_digits_is_refused():
    images, _ = generate(25, 3)
    sheet = images.reshape(5, 5, 28, 28).transpose(0, 2, 1, 3).reshape(140, 140) / np.float32(255)
    with pytest.raises(DataError, match="several digits"):
        prepare(sheet)


def test_broken_strokes_are_one_digit():
    rng = np.random.default_rng(0)
    refused = 0
    for image in generate(200, 9)[0]:
        large = np.asarray(Image.fromarray(image).resize((140, 140), Image.Resampling.BICUBIC)).copy()
        large[large < 60] = 0
        for _ in range(2):  # gaps of a fifteenth of its height
            y, x = rng.choice(np.argwhere(large > 128))
            large[max(0, y - 3) : y + 4, max(0, x - 12) : x + 12] = 0
        refused += prepare_or_none(large / np.float32(255)) is None
    assert refused <= 2


def test_a_pattern_of_dots_is_not_a_digit():
    dots = np.zeros((160, 160), np.float32)
    dots[4::8, 4::8] = 1
    with pytest.raises(DataError, match="no digit: 400 separate shapes"):
        prepare(dots)


def test_an_eight_of_straight_lines_is_not_a_frame():
    picture = np.zeros((100, 100), np.float32)
    picture[20:80, 30:70] = 1
    picture[28:46, 38:62] = picture[54:72, 38:62] = 0
    assert prepare(picture)[10:18, 8:20].any()


def test_a_zero_with_sharp_corners_that_fills_the_pad_is_not_a_frame():
    zero = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(zero).rectangle([14, 14, 266, 266], outline=0, width=6)
    result = prepare(np.asarray(zero, np.float32) / 255)
    assert result[4:24, 4:24].any(0).all()
    assert not result[12:16, 12:16].any()


@pytest.mark.parametrize("width", [8, 24])
@pytest.mark.parametrize("lighting", ["even", "radial"])
def test_a_boxy_zero_that_fills_the_picture_is_not_a_frame(lighting, width):
    zero = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(zero).rounded_rectangle([14, 14, 266, 266], radius=80, outline=0, width=width)
    picture = np.asarray(zero, np.float32) / 255 * sheets.light(lighting, np.random.default_rng(1), side=280)
    result = prepare(picture.astype(np.float32))
    assert result[4:24, 4:24].any(0).all()
    assert not result[12:16, 12:16].any()
