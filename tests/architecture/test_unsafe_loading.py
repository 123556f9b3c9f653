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
        "yaml.load(f)",
        "yaml.load(f, Loader=yaml.SafeLoader)",
        "yaml.unsafe_load(f)",
        "tar.extractall(folder)",
        "tar.extract(member, filter='tar')",
        "zipfile.ZipFile(f).extractall(folder)",
        "shutil.unpack_archive(f)",
        "torch.jit.load(f)",
        "torch.hub.load(f)",
        "torch.package.PackageImporter(f)",
        "keras.models.load_model(f, safe_mode=False)",
        "yaml.Loader(f)",
        "from torch import load\nload(f)",
        "import torch as t\nt.load(f)",
        "from torch import jit as j\nj.load(f)",
        "import numpy\nnumpy.load(f)",
        "from numpy import load as read\nread(f)",
        "from yaml import load\nload(f)",
        "import yaml as y\ny.load(f)",
        "from shutil import unpack_archive\nunpack_archive(f)",
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
        "yaml.safe_load(f)",
        "tar.extractall(folder, filter='data')",
    ],
)
def test_safe_calls_are_left_alone(line):
    assert not faults(line)


def test_ruff_forbids_the_rest():
    """All in one source, as ruff takes longer to start than to check."""
    forbidden = {
        "import pickle": "TID251",
        "from pickle import loads": "TID251",
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
    source = "import subprocess\n" + "\n".join(forbidden)
    done = subprocess.run([*command, "-"], cwd=ROOT, input=source, text=True, capture_output=True, timeout=60)
    found = {(fault["location"]["row"], fault["code"]) for fault in json.loads(done.stdout)}
    assert found >= set(enumerate(forbidden.values(), start=2)), found
