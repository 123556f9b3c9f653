import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from convnet_core.config.stages import ModelConfig
from convnet_core.data.drawing import Box, steps
from convnet_core.data.drawing_pictures import enlarge, feature_grid, show_box, show_centering, stack
from convnet_core.networks.convnet import build
from convnet_core.runtimes.pytorch import PyTorch
from testing.drawings import drawings


@pytest.mark.parametrize(
    ("architecture", "channels", "side", "rows", "columns"),
    [("convnet", 4, 28, 1, 4), ("convnet", 16, 28, 2, 8), ("deep", 64, 14, 8, 8), ("deep", 12, 14, 2, 8)],
)
def test_the_grid_shows_every_feature_map_of_any_network(tmp_path, architecture, channels, side, rows, columns):
    model = build(ModelConfig(architecture=architecture, channels=channels), seed=0)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    with PyTorch(tmp_path / "model.safetensors") as runtime:
        maps = runtime.features({"input": np.ones((2, 1, 28, 28), np.float32)})
    assert maps.shape == (2, channels, side, side)
    assert feature_grid(maps[0], side=84).size == (columns * 86 - 2, rows * 86 - 2)


def test_maps_are_in_rows_of_eight_and_brighter_is_stronger():
    maps = np.zeros((10, 2, 2), np.float32)
    maps[9] = 4  # second row, second column
    maps[1] = 1  # the square root of a quarter is drawn
    grid = np.asarray(feature_grid(maps, side=2))
    assert grid.shape == (6, 30)
    assert (grid[4:6, 4:6] == 255).all()
    assert (grid[0:2, 4:6] == 127).all()
    assert (grid[0:2, 0:2] == 0).all()
    assert (grid[4:6, 8:] == grid[2, 0]).all()  # no map: the color of the gaps


def test_maps_that_are_all_equal_are_drawn():
    assert np.asarray(feature_grid(np.full((4, 28, 28), 3.0, np.float32))).min() == 0


def test_grids_are_stacked():
    one, two = Image.new("L", (10, 4), 1), Image.new("L", (6, 5), 2)
    grid = np.asarray(stack([one, two]))
    assert grid.shape == (4 + 8 + 5, 10)
    assert (grid[:4] == 1).all()
    assert (grid[12:, :6] == 2).all()


def test_the_frame_is_where_the_ink_is():
    picture = np.asarray(show_box(np.ones((280, 140), np.float32), Box(56, 28, 224, 112), 140))
    assert picture.shape == (140, 70, 3)
    is_color = (picture.min(axis=2) < 200) & (picture.max(axis=2) - picture.min(axis=2) > 50)
    rows, columns = np.flatnonzero(is_color.any(1)), np.flatnonzero(is_color.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (28, 111, 14, 55)


def test_pixels_are_enlarged_to_squares():
    image = np.eye(28, dtype=np.float32)
    large = np.asarray(enlarge(image, 140))
    np.testing.assert_array_equal(large, np.kron(image, np.full((5, 5), 255)))


def test_centering_shows_the_ink_around_the_middle():
    result = steps(drawings(10, seed=3)[0][7].astype(np.float32) / 255)
    picture = np.asarray(show_centering(result, 140).convert("L")).astype(float) / 255
    assert picture.shape == (140, 140)
    small = picture.reshape(28, 5, 28, 5).mean((1, 3))
    assert np.corrcoef(small.ravel(), result.image.ravel())[0, 1] > 0.8
