"""The table of data sources: one entry is all that a new source needs."""

import numpy as np
import pytest

from convnet_core.config.fields import describe
from convnet_core.config.stages import DataConfig
from convnet_core.data import digits as data
from convnet_core.data.sources import FOLDER, SOURCES, DataSource, source_of
from convnet_core.data.split import Split


class Blank(DataSource):
    """White sheets."""

    name, title, about = "blank", "Blank", "Blank is white sheets"

    def read(self, config, monitor):
        sheets = Split(np.zeros((20, 28, 28), np.uint8), np.arange(20, dtype=np.uint8) % 10)
        return sheets, sheets, ["all sheets are white"]


@pytest.fixture
def blank(monkeypatch):
    monkeypatch.setitem(SOURCES, "blank", Blank())


def test_a_source_in_the_table_is_read_by_its_name(blank):
    data_set = data.load(DataConfig(source="blank"))
    assert len(data_set.train) == 20
    assert data_set.notes == ("all sheets are white",)


def test_any_other_value_is_a_path(blank):
    assert source_of(DataConfig(source="blank/digits")) is FOLDER


def test_the_help_of_data_names_every_source():
    text = next(field.setting.help for field in describe(DataConfig) if field.flag == "data")
    assert all(source.name in text for source in SOURCES.values())
