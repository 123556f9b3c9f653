"""A PyTorch network made by somebody's own function. Running it runs that person's code: for the command line only."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convnet_core.errors import ConfigError, one_line
from convnet_core.export.eager import UNKNOWN
from convnet_core.networks.convnet import describe_tensor


@dataclass(frozen=True)
class FactoryModel:
    """A network, and tensors [batch, ...] that its `forward` takes: in their order, and by name."""

    model: nn.Module
    example: tuple[Tensor, ...]
    named: dict[str, Tensor] = field(default_factory=dict)


def load_factory(factory: str, examples: Sequence[str]) -> FactoryModel:
    """Call `package.module:function`; it gives a network, or a network and a tuple (or a dict) of example tensors.

    `examples` says what each input looks like instead: see `example`. Raises ConfigError.
    """
    made = _call(factory)
    model, given = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{factory} gave a {type(model).__name__}, not a torch.nn.Module")
    if examples:
        given = tuple(example(text) for text in examples)
    if given is None:
        raise ConfigError(
            f"nothing says what the network of {factory} takes",
            hint="--example 2,3,224,224 for each input, or let the function return the network and a tuple of tensors",
        )
    given = (given,) if isinstance(given, Tensor) else given
    if isinstance(given, dict):
        return FactoryModel(model, (), {str(name): _plain(item, factory) for name, item in given.items()})
    if not isinstance(given, tuple | list) or not given:
        raise ConfigError(f"the example of {factory} has to be tensors, as many as the network's forward takes")
    return FactoryModel(model, tuple(_plain(item, factory) for item in given))


def _plain(item: Any, factory: str) -> Tensor:
    """An example tensor on the CPU, without gradients. Raises ConfigError where NumPy has no such array."""
    if not isinstance(item, Tensor):
        raise ConfigError(
            f"the example of {factory} has to be tensors, as many as the network's forward takes; "
            f"one of it is a {type(item).__name__}",
            hint="what is no tensor belongs into the network: a small nn.Module whose forward adds it",
        )
    if item.is_complex():
        raise ConfigError(
            f"{factory} takes complex numbers ({item.dtype}), which ONNX Runtime does not",
            hint="take torch.view_as_real(x) as the input, and begin forward with torch.view_as_complex",
        )
    if item.dtype in UNKNOWN or item.is_quantized or item.layout != torch.strided or item.is_meta:
        raise ConfigError(
            f"{factory} takes {describe_tensor(item)}, which NumPy has not", hint="export the network in float32"
        )
    return item.detach().cpu()


def example(text: str) -> Tensor:
    """An example input from `2,3,224,224`, `int64:2,16` or `FILE.npy`; numbers from 0 to 1, whole ones 0 or 1.

    Raises ConfigError.
    """
    if text.endswith(".npy"):
        try:
            return torch.from_numpy(np.load(Path(text).expanduser(), allow_pickle=False))
        except Exception as error:  # NumPy has kinds of its own
            raise ConfigError(f"--example {text} cannot be read: {one_line(error)}") from error
    kind, _, sizes = text.rpartition(":")
    dtype = getattr(torch, kind or "float32", None)
    if not isinstance(dtype, torch.dtype):
        raise ConfigError(f"--example {text}: {kind!r} is no dtype of PyTorch")
    try:
        shape = [int(size) for size in sizes.split(",")] if sizes else []
        if any(size < 0 for size in shape):
            raise ValueError(sizes)
    except ValueError:
        raise ConfigError(
            f"--example takes a shape, a dtype and a shape, or a file, not {text!r}",
            hint="2,3,224,224 or int64:2,16 or samples.npy",
        ) from None
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point:
        return torch.rand(shape, generator=generator).to(dtype)
    return torch.randint(0, 2, shape, generator=generator).to(dtype)


def _call(factory: str) -> Any:
    module_name, _, name = factory.partition(":")
    if not module_name or not name:
        raise ConfigError(f"--factory takes package.module:function, not {factory!r}")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # their code may raise any
        raise ConfigError(
            f"{module_name} cannot be imported: {type(error).__name__}: {one_line(error)}",
            hint="it is looked for from this folder, and among the installed packages",
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(f"{module_name} has no function {name!r}")
    try:
        return function()
    except (Exception, SystemExit) as error:  # their code may raise any
        raise ConfigError(f"{factory} raised {type(error).__name__}: {one_line(error)}") from error
