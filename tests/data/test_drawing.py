import numpy as np
import pytest
from PIL import Image

from convnet_core.data.drawing import prepare, steps
from convnet_core.data.picture import brightness, read_image
from convnet_core.data.strokes import generate
from convnet_core.errors import DataError
from testing.drawings import drawings


@pytest.fixture(scope="module")
def seven():
    images, digits = drawings(20, seed=3)
    return images[int(np.flatnonzero(digits == 7)[0])].astype(np.float32) / 255


def assert_layout(image):
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    mass, position = image.sum(), np.arange(28)
    assert abs((image.sum(1) @ position) / mass - 13.5) <= 0.51
    assert abs((image.sum(0) @ position) / mass - 13.5) <= 0.51


def test_every_drawing_gets_the_mnist_layout():
    for image in drawings(60, seed=1)[0]:
        assert_layout(prepare(image.astype(np.float32) / 255))


def test_dark_on_light_is_light_on_dark(seven):
    np.testing.assert_allclose(prepare(seven), prepare(1 - seven), atol=1e-6)


def test_position_and_size_do_not_matter(seven):
    moved = np.pad(seven, ((150, 20), (10, 300)), constant_values=seven[0, 0])
    assert np.abs(prepare(moved) - prepare(seven)).max() < 0.02
    double = np.asarray(Image.fromarray(seven).resize((560, 560), Image.Resampling.BICUBIC))
    assert np.abs(prepare(double) - prepare(seven)).mean() < 0.02


def test_a_faint_pencil_gives_the_same_image_as_a_black_pen(seven):
    assert np.abs(prepare(0.6 + 0.2 * seven) - prepare(seven)).max() < 0.02


def test_an_image_already_in_the_mnist_layout_hardly_changes():
    images, _ = generate(100, 1)
    change = [np.abs(prepare(image / np.float32(255)) - image / 255).mean() for image in images]
    assert np.mean(change) < 0.05


@pytest.mark.parametrize("image", [np.zeros((28, 28)), np.ones((100, 50)), np.full((9, 9), 0.4), np.zeros((1, 1))])
def test_an_empty_image_is_refused(image):
    with pytest.raises(DataError, match="no ink"):
        prepare(image.astype(np.float32))


def test_paper_grain_is_not_ink(rng):
    with pytest.raises(DataError, match="no ink"):
        prepare(np.float32(0.9) + rng.uniform(-0.03, 0.03, (200, 200)).astype(np.float32))


def test_transparent_paper_with_black_or_white_ink(seven):
    ink = (seven if seven[0, 0] < 0.5 else 1 - seven) * 255
    expected = prepare(ink.astype(np.float32) / 255)
    for gray in (0, 255):
        layers = [np.full_like(ink, gray)] * 3 + [ink]
        image = Image.fromarray(np.stack(layers, axis=-1).astype(np.uint8), "RGBA")
        np.testing.assert_allclose(prepare(brightness(image)), expected, atol=0.02)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "LA"])
def test_every_mode_of_image_is_read(tmp_path, seven, mode):
    gray = Image.fromarray((seven * 255).astype(np.uint8))
    image = Image.fromarray((seven * 65535).astype(np.uint16)) if mode == "I;16" else gray.convert(mode)
    image.save(tmp_path / "seven.png")
    assert np.abs(prepare(read_image(tmp_path / "seven.png")) - prepare(seven)).mean() < 0.02


def test_jpeg(tmp_path, seven):
    Image.fromarray((seven * 255).astype(np.uint8)).save(tmp_path / "seven.jpg", quality=40)
    assert np.abs(prepare(read_image(tmp_path / "seven.jpg")) - prepare(seven)).mean() < 0.02


def test_a_file_that_is_not_an_image_is_refused_by_name(tmp_path):
    for name, content in (("text.png", b"hello"), ("cut.png", b"\x89PNG\r\n\x1a\n"), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: cannot be read as an image"):
            read_image(tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path)


def test_a_decompression_bomb_is_refused(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match="too many"):
        read_image(tmp_path / "bomb.png")


def test_the_steps_record_where_the_ink_was_and_where_it_went(seven):
    dark = seven if seven[0, 0] > 0.5 else 1 - seven
    rows, columns = np.flatnonzero((dark < 0.5).any(1)), np.flatnonzero((dark < 0.5).any(0))
    result = steps(np.pad(dark, ((40, 0), (0, 70)), constant_values=1.0))
    assert (result.source_box.top, result.source_box.left) == pytest.approx((rows[0] + 40, columns[0]), abs=1)
    assert (result.source_box.bottom, result.source_box.right) == pytest.approx((rows[-1] + 41, columns[-1] + 1), abs=1)
    assert max(result.target_box.height, result.target_box.width) == 20
    outside = result.image.copy()
    result.target_box.crop(outside)[:] = 0
    assert outside.max() == 0
    position, mass = np.arange(28), result.image.sum()
    assert result.mass == pytest.approx(
        ((result.image.sum(1) @ position) / mass, (result.image.sum(0) @ position) / mass)
    )
    np.testing.assert_array_equal(result.image, prepare(dark))
