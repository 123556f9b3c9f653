"""The stages: each reads what it needs from a run's folder and writes one folder into it.

A stage takes the run, its config and a monitor, holds no state, prints nothing, and returns a typed
result. The caller holds the run's lock (`jobs.working` does).
"""

from convnet_core.stages.benchmark import run_benchmark
from convnet_core.stages.bring_in import run_bring_in
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.export import run_export
from convnet_core.stages.refresh import run_refresh
from convnet_core.stages.train import run_train

__all__ = ["run_benchmark", "run_bring_in", "run_compare", "run_convert", "run_export", "run_refresh", "run_train"]
