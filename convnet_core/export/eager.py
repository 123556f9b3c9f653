"""Run a network in PyTorch on the CPU, exactly as its operators define it: the reference for an export."""

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
from convnet_core.language import _, plural
from convnet_core.tensors.arrays import Array

NO_NUMPY_DTYPE = frozenset(
    {torch.bfloat16, torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz}
)
"""Dtypes that NumPy lacks, so an export with them cannot be verified."""

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = inspect.Parameter.VAR_POSITIONAL
_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


@dataclass(frozen=True)
class Call:
    """The tensor arguments of a network's `forward`: positional and by name, in the order of its parameters."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, model: nn.Module, args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor] | None = None) -> Call:
        """Assign tensors to parameters; positional ones also fill keyword-only parameters.

        Raises ConfigError if they do not fit.
        """
        signature = inspect.signature(model.forward)
        kinds = [item.kind for item in signature.parameters.values()]
        names = [item.name for item in signature.parameters.values() if item.kind is item.KEYWORD_ONLY]
        positional = len(args) if _VARIADIC in kinds else sum(kind in _POSITIONAL for kind in kinds)
        rest = args[positional:] if len(args) - positional <= len(names) else ()
        try:
            bound = signature.bind(
                *args[: len(args) - len(rest)], **dict(zip(names, rest, strict=False)), **kwargs or {}
            )
        except TypeError as error:
            raise ConfigError(
                plural(
                    "{count} example tensor does not fit forward{signature}: {reason}",
                    "{count} example tensors do not fit forward{signature}: {reason}",
                    len(args) + len(kwargs or {}),
                    signature=signature,
                    reason=one_line(error),
                ),
                hint=_("pass one tensor per parameter; move other arguments into the network itself"),
            ) from error
        return cls(bound.args, bound.kwargs)

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors, in the order of the export's inputs."""
        return tensors(tree_leaves((self.args, self.kwargs)))

    @property
    def batch(self) -> int | None:
        """The first dimension if it is the same in all tensors, else None."""
        sizes = {item.shape[0] if item.ndim else None for item in self.tensors}
        return sizes.pop() if len(sizes) == 1 else None

    def resized(self, size: int) -> Call:
        """A call with `size` samples, which repeat this call's samples."""

        def fill(item: Tensor) -> Tensor:
            return item[torch.arange(size) % len(item)] if len(item) else item.new_zeros(size, *item.shape[1:])

        return self._map(fill)

    def copy(self) -> Call:
        """A copy, for a `forward` that modifies its arguments."""
        return self._map(torch.clone)

    def dynamic_shapes(self, model: nn.Module) -> dict[str, Any]:
        """The `dynamic_shapes` argument of `torch.export`: the first dimension of every tensor is the batch."""
        bound = inspect.signature(model.forward).bind(*self.args, **self.kwargs)
        return dict(tree_map_only(Tensor, lambda _: {0: torch.export.Dim("batch")}, bound.arguments))

    def _map(self, function: Any) -> Call:
        return Call(*tree_map_only(Tensor, function, (self.args, self.kwargs)))


def unwrap(model: nn.Module) -> nn.Module:
    """Remove DataParallel, DistributedDataParallel and `torch.compile` from around a network."""
    while True:
        if isinstance(model, _WRAPPERS):
            model = model.module
        elif isinstance(model, torch._dynamo.OptimizedModule):
            model = model._orig_mod
        else:
            return model


@contextlib.contextmanager
def reference_settings() -> Iterator[None]:
    """Turn off PyTorch's fast paths and reduced precision, whichever the process or a factory has turned on.

    The fast path of `nn.TransformerEncoder` (PyTorch 2.14) writes zeros at the padding, which no operator of the
    exported graph does. Autocast and the matmul precision are settings of the process, not of the network.
    """
    fast_path, precision = torch.backends.mha.get_fastpath_enabled(), torch.get_float32_matmul_precision()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.mha.set_fastpath_enabled(fast_path)


def run_network(model: nn.Module, call: Call) -> list[Any]:
    """Run a network and flatten its result into tensors and other leaves; `torch.compile` functions run uncompiled."""
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
    """The tensors among the leaves, in order."""
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def to_array(tensor: Tensor) -> Array:
    """Convert a tensor to the export's form of it; complex numbers become pairs of reals in a last dimension."""
    plain = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return np.asarray(plain.detach().resolve_neg().numpy())


def is_equal(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether two results are equal; NaN equals NaN. PyTorch 2.14 cannot compare sparse tensors."""
    pairs = ((a.to_dense(), b.to_dense()) for a, b in zip(one, other, strict=True))
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True) for a, b in pairs)


def why_unsteady(model: nn.Module, call: Call) -> str:
    """Why a network's result changes between calls with the same input, in a sentence; empty if it does not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rng_state = torch.get_rng_state()
        first = tensors(run_network(model, call))
        draws = not torch.equal(torch.get_rng_state(), rng_state)
        # one call may hide the randomness, such as behind an argmax; eight calls very likely do not
        changes = any(not is_equal(first, tensors(run_network(model, call))) for _call in range(8 if draws else 1))
    if not changes:
        return ""
    if draws:
        return _("the network draws random numbers even in eval mode: the same input gives different results")
    return _("the network keeps a state even in eval mode: the same input gives different results")


@contextlib.contextmanager
def return_only_tensors(model: nn.Module) -> Iterator[None]:
    """Make a network return only tensors: PyTorch 2.14's exporter fails on numbers and None in the result."""

    def drop_others(_: nn.Module, __: Any, value: Any) -> Any:
        leaves = tree_leaves(value)
        kept_leaves = tensors(leaves)
        return value if len(kept_leaves) == len(leaves) else tuple(kept_leaves)

    handle = model.register_forward_hook(drop_others)
    try:
        yield
    finally:
        handle.remove()
