import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A runs root of its own, empty."""
    folder = tmp_path / "runs"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("CONVNET_RUNS_DIR", str(folder))
    return folder


def open_page(name="home"):
    """The app on one of its pages."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    if name != "home":
        app = app.switch_page(f"pages/{name}.py").run()
    assert not app.exception
    return app


def text_of(app):
    """All that the page says."""
    kinds = (app.markdown, app.success, app.error, app.info, app.warning, app.subheader, app.caption)
    return " ".join(item.value for kind in kinds for item in kind)
