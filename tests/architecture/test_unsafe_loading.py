import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.unsafe_loading import faults


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=flag)",
        "tar.extractall(folder)",
        "tar.extract(member, filter='tar')",
        "zipfile.ZipFile(f).extractall(folder)",
        "keras.models.load_model(f, safe_mode=False)",
        "from torch import load\nload(f)",
        "import torch as t\nt.load(f)",
        "import numpy\nnumpy.load(f)",
        "from numpy import load as read\nread(f)",
    ],
)
def test_unsafe_calls_are_found(line):
    assert faults(line)


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(f, weights_only=True)",
        "np.load(f, allow_pickle=False)",
        "json.load(f)",
        "from json import load\nload(f)",
        "from safetensors.torch import load\nload(f)",
        "tar.extractall(folder, filter='data')",
    ],
)
def test_safe_calls_are_accepted(line):
    assert not faults(line)


def test_ruff_forbids_the_rest():
    """All in one source file, because ruff takes longer to start than to check."""
    forbidden = {
        "import pickle": "TID251",
        "from pickle import loads": "TID251",
        "import yaml as y": "TID251",
        "pandas.read_pickle(x)": "S301",
        "shutil.unpack_archive(x)": "TID251",
        "j.load(x)": "TID251",
        "torch.hub.load(x)": "TID251",
        "torch.package.PackageImporter(x)": "TID251",
        "eval(x)": "S307",
        "exec(x)": "S102",
        "subprocess.run('ls', shell=True)": "S602",
    }
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--output-format",
        "json",
        "--stdin-filename",
        "convnet_core/x.py",
    ]
    imports = "import pandas, shutil, subprocess, torch; from torch import jit as j\n"
    source = imports + "\n".join(forbidden)
    done = subprocess.run([*command, "-"], cwd=ROOT, input=source, text=True, capture_output=True, timeout=60)
    faults_found = {(fault["location"]["row"], fault["code"]) for fault in json.loads(done.stdout)}
    assert faults_found >= set(enumerate(forbidden.values(), start=2)), faults_found
