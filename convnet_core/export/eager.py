"""PyTorch's own answer to an example, on the CPU, as its operators define it: what an export is judged by."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from convnet_core.errors import ConfigError, one_line
from convnet_core.tensors.arrays import Array

UNKNOWN = frozenset(
    {torch.bfloat16, torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz}
)
"""They have no arrays to check an export with."""

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ANY = inspect.Parameter.VAR_POSITIONAL
_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


@dataclass(frozen=True)
class Call:
    """The tensors that a network's `forward` is called with: by place and by name, in the order of its parameters."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, model: nn.Module, args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor] | None = None) -> Call:
        """Tensors by place also go to parameters that take names alone. Raises ConfigError where they do not fit."""
        signature = inspect.signature(model.forward)
        kinds = [item.kind for item in signature.parameters.values()]
        names = [item.name for item in signature.parameters.values() if item.kind is item.KEYWORD_ONLY]
        places = len(args) if _ANY in kinds else sum(kind in _BY_PLACE for kind in kinds)
        rest = args[places:] if len(args) - places <= len(names) else ()
        try:
            bound = signature.bind(
                *args[: len(args) - len(rest)], **dict(zip(names, rest, strict=False)), **kwargs or {}
            )
        except TypeError as error:
            raise ConfigError(
                f"{len(args) + len(kwargs or {})} example tensors do not fit forward{signature}: {one_line(error)}",
                hint="one tensor for each of its parameters; what is no tensor belongs into the network itself",
            ) from error
        return cls(bound.args, bound.kwargs)

    @property
    def tensors(self) -> list[Tensor]:
        """All of them, in the order in which an export has them."""
        return tensors(tree_leaves((self.args, self.kwargs)))

    @property
    def batch(self) -> int | None:
        """The first dimension of every tensor; None where they have none in common."""
        sizes = {item.shape[0] if item.ndim else None for item in self.tensors}
        return sizes.pop() if len(sizes) == 1 else None

    def resized(self, size: int) -> Call:
        """The same samples over and over, `size` of them."""

        def fill(item: Tensor) -> Tensor:
            return item[torch.arange(size) % len(item)] if len(item) else item.new_zeros(size, *item.shape[1:])

        return self._mapped(fill)

    def copy(self) -> Call:
        """For a forward that writes into what it is given."""
        return self._mapped(torch.clone)

    def dynamic_shapes(self, model: nn.Module) -> dict[str, Any]:
        """As `torch.export` takes them, by parameter: the first dimension of every tensor is the batch."""
        bound = inspect.signature(model.forward).bind(*self.args, **self.kwargs)
        return dict(tree_map_only(Tensor, lambda _: {0: torch.export.Dim("batch")}, bound.arguments))

    def _mapped(self, function: Any) -> Call:
        return Call(*tree_map_only(Tensor, function, (self.args, self.kwargs)))


def unwrapped(model: nn.Module) -> nn.Module:
    """A network without DataParallel, DistributedDataParallel and `torch.compile` around it."""
    while True:
        if isinstance(model, _WRAPPERS):
            model = model.module
        elif isinstance(model, torch._dynamo.OptimizedModule):
            model = model._orig_mod
        else:
            return model


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """PyTorch without what makes it quicker and gives other values, and without what a factory has switched on.

    The fast path of `nn.TransformerEncoder` (PyTorch 2.14) writes zeros at the padding, which no operator of the
    exported graph does. Autocast and a lower precision of products are settings of the process, not of the network.
    """
    fast, precision = torch.backends.mha.get_fastpath_enabled(), torch.get_float32_matmul_precision()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.mha.set_fastpath_enabled(fast)


def answer(model: nn.Module, call: Call) -> list[Any]:
    """What a network returns, taken apart into tensors and other leaves; what `torch.compile` made runs as written."""
    call = call.copy()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        value = model(*call.args, **call.kwargs)
    leaves = tree_leaves(value)
    while unknown := {type(leaf) for leaf in leaves if dataclasses.is_dataclass(leaf)}:
        for kind in unknown:
            torch.export.register_dataclass(kind)
        leaves = tree_leaves(value)
    return leaves


def tensors(leaves: list[Any]) -> list[Tensor]:
    """The tensors of an answer, in its order."""
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def array(tensor: Tensor) -> Array:
    """As an export has it: complex numbers are pairs of real ones."""
    plain = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return np.asarray(plain.detach().resolve_neg().numpy())


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether two answers are equal; NaN is equal to NaN. PyTorch 2.14 compares no sparse tensors."""
    pairs = ((a.to_dense(), b.to_dense()) for a, b in zip(one, other, strict=True))
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True) for a, b in pairs)


def unsteady(model: nn.Module, call: Call) -> str:
    """Why a network gives another answer to the same input each time; empty where it gives the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        before = torch.get_rng_state()
        first = tensors(answer(model, call))
        draws = not torch.equal(torch.get_rng_state(), before)
        # what is drawn may be rounded away, as by an argmax: not in eight answers
        changes = any(not same(first, tensors(answer(model, call))) for _ in range(8 if draws else 1))
    return ("draws random numbers" if draws else "keeps a state") if changes else ""


@contextlib.contextmanager
def tensors_alone(model: nn.Module) -> Iterator[None]:
    """Have a network return its tensors alone: PyTorch 2.14's exporter fails at a number or None beside them."""

    def keep(_: nn.Module, __: Any, value: Any) -> Any:
        leaves = tree_leaves(value)
        found = tensors(leaves)
        return value if len(found) == len(leaves) else tuple(found)

    handle = model.register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()
