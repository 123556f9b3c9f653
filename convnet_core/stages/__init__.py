"""The stages: each reads what it needs from a run's folder and writes one folder into it.

A stage takes the run, its config and a monitor, holds no state, prints nothing, and returns a typed
result. The caller holds the run's lock (`jobs.working` does). Each is imported when it is asked for: a model from
elsewhere is brought in without torch and tensorflow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convnet_core.stages.benchmark import run_benchmark
    from convnet_core.stages.bring_in import run_bring_in
    from convnet_core.stages.compare import run_compare
    from convnet_core.stages.convert import run_convert
    from convnet_core.stages.dissect import run_dissect
    from convnet_core.stages.export import run_export
    from convnet_core.stages.make import run_make
    from convnet_core.stages.refresh import run_refresh
    from convnet_core.stages.train import run_train

__all__ = [
    "run_benchmark",
    "run_bring_in",
    "run_compare",
    "run_convert",
    "run_dissect",
    "run_export",
    "run_make",
    "run_refresh",
    "run_train",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{name.removeprefix('run_')}"), name)
