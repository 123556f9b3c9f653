"""What the pages, the stages and the other commands are called in the app."""

from pathlib import Path

from convnet_core.data.sources import SOURCES
from convnet_core.language import N_, _

_PAGES = {
    "home": N_("Home"),
    "runs": N_("Runs"),
    "data": N_("Data"),
    "train": N_("Train"),
    "export": N_("Export"),
    "convert": N_("Convert"),
    "compare": N_("Compare"),
    "dissect": N_("Dissect"),
    "benchmark": N_("Benchmark"),
    "sketchpad": N_("Sketchpad"),
}
_STAGES = {
    "train": N_("train"),
    "export": N_("export"),
    "convert": N_("convert"),
    "compare": N_("compare"),
    "dissect": N_("dissect"),
    "benchmark": N_("benchmark"),
    "pipeline": N_("pipeline"),
    "refresh": N_("refresh"),
    "upload": N_("upload"),
    "lessons": N_("lesson"),
}


def page_title(page: str) -> str:
    """The title of the page at this address."""
    return _(_PAGES[page])


def name_of(stage: str) -> str:
    """The name of a stage or of a command; of convert/native without the converter."""
    name = stage.partition("/")[0]
    return _(_STAGES.get(name, name))


def data_name(source: str) -> str:
    """The name of a data set: that of a source, or of a folder or file."""
    return _(SOURCES[source].title) if source in SOURCES else Path(source).name
