"""What the wheel contains, and that the app and the command line work from it without the checkout."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from configparser import ConfigParser

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build from a copy, because setuptools writes into its source folder."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "requirements.txt", "app.py"):
        shutil.copy(ROOT / name, source)
    for name in ("convnet_core", "pages", ".streamlit"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=source, capture_output=True, check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel installed; the libraries come from the test environment."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(folder)]
    subprocess.run([*pip, str(wheel)], capture_output=True, check=True)
    return folder


def start(installed, cwd, *arguments):
    """Start the installed `convnet` command in a folder outside the checkout."""
    command, env = [installed / "bin/convnet", *arguments], {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_wheel_contains_every_module_the_app_and_their_data_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = [path.relative_to(ROOT) for folder in ("convnet_core", "pages") for path in (ROOT / folder).rglob("*")]
    needed = {path.as_posix() for path in files if path.suffix in {".py", ".po", ".j2", ".svg", ".html", ".css", ".js"}}
    needed |= {"app.py", ".streamlit/config.toml"}
    expected = {name if name.startswith("convnet_core/") else f"convnet_core/app/{name}" for name in needed}
    assert expected == {name for name in names if ".dist-info/" not in name}


def test_wheel_declares_the_command_and_the_pinned_libraries(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{folder}/METADATA").decode()
        scripts = ConfigParser()
        scripts.read_string(archive.read(f"{folder}/entry_points.txt").decode())
    assert dict(scripts["console_scripts"]) == {"convnet": "convnet_core.cli.main:main"}
    assert "Requires-Python: <3.14,>=3.11\n" in metadata
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    requirements = [line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if "Requires-Dist:" in line]
    assert [line for line in requirements if "extra ==" not in line] == pins


def test_doctor_reads_requirements_from_the_installed_package(installed, tmp_path):
    output, errors = start(installed, tmp_path, "doctor", "--json").communicate(timeout=120)
    names = {check["name"] for check in json.loads(output)}
    assert not errors
    assert {"torch", "tensorflow", "streamlit", "jinja2"} <= names


def test_app_command_serves_the_app_in_any_folder(installed, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start(installed, tmp_path, "app", "--port", str(port), "--no-sample")
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
                    assert answer.read() == b"ok"
                    break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        server.terminate()
        output, _ = server.communicate(timeout=20)
    assert server.returncode == -signal.SIGTERM  # uvicorn raises it again once it has shut down
    assert b"127.0.0.1" in output
