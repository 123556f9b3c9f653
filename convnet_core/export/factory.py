"""Networks from a user's factory function. Calling it runs the user's code, so only the command line does it."""

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
from convnet_core.export.eager import NO_NUMPY_DTYPE
from convnet_core.language import _
from convnet_core.networks.convnet import describe_tensor


@dataclass(frozen=True)
class FactoryModel:
    """A network, and example tensors [batch, ...] for its `forward`: positional, and by name."""

    model: nn.Module
    example: tuple[Tensor, ...]
    named: dict[str, Tensor] = field(default_factory=dict)


def load_factory(factory: str, examples: Sequence[str]) -> FactoryModel:
    """Call `package.module:function`, which returns a network, or a network with a tuple or dict of example tensors.

    `examples` replace those tensors: see `example`. Raises ConfigError.
    """
    value = _call(factory)
    model, tensors = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    if not isinstance(model, nn.Module):
        raise ConfigError(
            _("{factory} returned a {type}, not a torch.nn.Module", factory=factory, type=type(model).__name__)
        )
    if examples:
        tensors = tuple(example(text) for text in examples)
    if tensors is None:
        raise ConfigError(
            _("the inputs of the network of {factory} are unknown", factory=factory),
            hint=_("add --example 2,3,224,224 for each input, or return the network with a tuple of example tensors"),
        )
    tensors = (tensors,) if isinstance(tensors, Tensor) else tensors
    if isinstance(tensors, dict):
        return FactoryModel(model, (), {str(name): _prepare(item, factory) for name, item in tensors.items()})
    if not isinstance(tensors, tuple | list) or not tensors:
        raise ConfigError(
            _("the example of {factory} must be tensors, as many as the network's forward takes", factory=factory)
        )
    return FactoryModel(model, tuple(_prepare(item, factory) for item in tensors))


def _prepare(item: Any, factory: str) -> Tensor:
    """Move an example tensor to the CPU and detach it. Raises ConfigError if NumPy cannot represent it."""
    if not isinstance(item, Tensor):
        raise ConfigError(
            _(
                "the example of {factory} must be tensors, as many as the network's forward takes; one item is a "
                "{type}",
                factory=factory,
                type=type(item).__name__,
            ),
            hint=_("move other arguments into the network: wrap it in an nn.Module whose forward adds them"),
        )
    if item.is_complex():
        raise ConfigError(
            _(
                "{factory} takes complex numbers ({dtype}), which ONNX Runtime does not support",
                factory=factory,
                dtype=item.dtype,
            ),
            hint=_("make torch.view_as_real(x) the input, and start forward with torch.view_as_complex"),
        )
    if item.dtype in NO_NUMPY_DTYPE or item.is_quantized or item.layout != torch.strided or item.is_meta:
        raise ConfigError(
            _("{factory} takes {kind}, which NumPy does not have", factory=factory, kind=describe_tensor(item)),
            hint=_("export the network in float32"),
        )
    return item.detach().cpu()


def example(text: str) -> Tensor:
    """An example input from `2,3,224,224`, `int64:2,16` or `FILE.npy`; random floats from 0 to 1, integers 0 or 1.

    Raises ConfigError.
    """
    if text.endswith(".npy"):
        try:
            return torch.from_numpy(np.load(Path(text).expanduser(), allow_pickle=False))
        except Exception as error:  # NumPy raises many exception types
            raise ConfigError(
                _("--example {text} cannot be read: {reason}", text=text, reason=one_line(error))
            ) from error
    kind, sizes = text.rpartition(":")[::2]
    dtype = getattr(torch, kind or "float32", None)
    if not isinstance(dtype, torch.dtype):
        raise ConfigError(_("--example {text}: {kind!r} is not a PyTorch dtype", text=text, kind=kind))
    try:
        shape = [int(size) for size in sizes.split(",")] if sizes else []
        if any(size < 0 for size in shape):
            raise ValueError(sizes)
    except ValueError:
        raise ConfigError(
            _("--example takes a shape, a dtype and a shape, or a file, not {text!r}", text=text),
            hint=_("for example 2,3,224,224 or int64:2,16 or samples.npy"),
        ) from None
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point:
        return torch.rand(shape, generator=generator).to(dtype)
    return torch.randint(0, 2, shape, generator=generator).to(dtype)


def _call(factory: str) -> Any:
    module_name, name = factory.partition(":")[::2]
    if not module_name or not name:
        raise ConfigError(_("--factory takes package.module:function, not {factory!r}", factory=factory))
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # user code may raise anything
        raise ConfigError(
            _(
                "{module} cannot be imported: {reason}",
                module=module_name,
                reason=f"{type(error).__name__}: {one_line(error)}",
            ),
            hint=_("Python searches this folder and the installed packages"),
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(_("{module_name} has no function {name!r}", module_name=module_name, name=name))
    try:
        return function()
    except (Exception, SystemExit) as error:  # user code may raise anything
        raise ConfigError(
            _("{factory} raised {reason}", factory=factory, reason=f"{type(error).__name__}: {one_line(error)}")
        ) from error
