"""What pyproject.toml cannot say: the wheel carries the app, which stands beside the package here, inside it."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithApp(build_py):
    """Copies app.py, pages/ and .streamlit/ to `convnet_core/app`, where `convnet app` looks for them."""

    def run(self) -> None:
        if self.editable_mode:  # runs from the checkout
            super().run()
            return
        package = Path(self.build_lib, "convnet_core")
        shutil.rmtree(package, ignore_errors=True)  # an earlier build in this folder left modules that are gone since
        super().run()
        app = package / "app"
        app.mkdir()
        shutil.copy("app.py", app)
        for folder in ("pages", ".streamlit"):
            shutil.copytree(folder, app / folder, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithApp})
