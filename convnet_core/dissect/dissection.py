"""The whole dissection of a case: one function, one result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from convnet_core.config.stages import DissectConfig
from convnet_core.convert.node_map_file import NodeMap
from convnet_core.dissect.active_runtime import active
from convnet_core.dissect.answers import answer_functions, answer_in_fixed_batches, answer_in_parts
from convnet_core.dissect.case import Case
from convnet_core.dissect.checks import batch_sizes as sweep
from convnet_core.dissect.checks import batchnorm_folding, input_range, int8_ranges, labels, weights, worst_input
from convnet_core.dissect.checks import nodes as findings
from convnet_core.dissect.difference import value_range
from convnet_core.dissect.examine import OnStep, examine, run_probe
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import BatchResult, Fusion, Labels, LiteRTOp, NodeResult, Weight, WorstInput
from convnet_core.dissect.probes.base import Probe, numeric
from convnet_core.dissect.probes.float64 import Float64Probe
from convnet_core.dissect.probes.litert import LiteRTProbe
from convnet_core.dissect.probes.onnxruntime import OnnxRuntimeProbe
from convnet_core.dissect.probes.pytorch import PyTorchProbe
from convnet_core.dissect.probes.tensorflow import TensorFlowProbe
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.onnx_files import model_file
from convnet_core.runtimes.specs import LITERT, ONNX_RUNTIME, PYTORCH, TENSORFLOW, TENSORFLOW_FROZEN
from convnet_core.tensors.arrays import Array, Feeds, batch_of, fixed_batch, sample_count

_SAME_ANSWER = 1e-3
"""Share of the range by which two answers to the same sample may differ."""


@dataclass(frozen=True)
class Dissection:
    """All results. `nodes` are in the order of the graph; `worst_inputs` has by runtime the sample with the largest
    error.
    """

    nodes: list[NodeResult]
    entries: NodeMap
    litert: list[LiteRTOp]
    weights: list[Weight]
    fusions: list[Fusion]
    labels: dict[str, Labels]
    sweep: list[BatchResult]
    findings: list[Finding]
    runtimes: list[str]
    worst: list[WorstInput] = field(default_factory=list)
    worst_inputs: dict[str, Feeds] = field(default_factory=dict)


def dissect(case: Case, config: DissectConfig, on_step: OnStep) -> Dissection:
    """Dissect a case; `config.worst` says whether to search for the worst inputs, "auto" does.

    Raises ModelError if ONNX Runtime cannot run the model at all.
    """
    reference = OnnxRuntimeProbe(case.model)
    samples = _runnable_samples(reference, case)
    probes = _open_probes(case)
    try:
        nodes, values = examine(
            case.model, reference, _float64_values(case, samples, on_step), probes, samples, on_step
        )
        expected = values[reference.name]
        on_step(_("comparing the weights"), 0, 1)
        converted = weights.converted_weights(case.folder, case.entries) if case.folder is not None else {}
        compared = weights.compare_weights(case.model, case.entries, converted)
        fusions = batchnorm_folding.find_fusions(case.model, case.program) if case.program is not None else []
        output = _answer_output(case, expected)
        two = _first_two_answers(reference, case, samples, expected[output], output)
        independent = two is not None or _is_independent(reference, case, samples, expected[output], output)
        with answer_functions(case, output) as final:
            label_stats, batch_results, worst, worst_inputs = _check_answers(
                case, config, final, expected[output], independent, on_step
            )
        shapes = {name: array.shape for name, array in expected.items()}
        by_name = {probe.name: probe for probe in probes}
        litert = [probe for probe in probes if isinstance(probe, LiteRTProbe)]
        plain = next((probe for probe in litert if probe.precision == "float32"), None)
        litert_fusions = [] if plain is None else batchnorm_folding.find_litert_fusions(case.model, plain.kernels())
        all_findings = [
            *findings.training_mode(case.model, 0.0 if two is None else _batch_dependence(two, expected[output])),
            *weights.findings(case.model, compared, converted, shapes),
            *batchnorm_folding.findings(fusions),
            *sweep.findings(batch_results, case.model),
            *input_range.findings(case, label_stats),
            *_int8_findings(litert, expected, nodes, output, label_stats),
            *findings.crashes(case),
            *findings.unsupported(case),
            *findings.different_shapes(nodes, by_name),
            *findings.introduced_errors(nodes, case.model, by_name, expected),
        ]
        if not any(item.node for item in all_findings):
            all_findings += findings.beyond_tolerance(nodes, by_name)
    finally:
        for probe in probes:
            probe.close()
    ops = next((probe.ops for probe in litert), [])
    runtimes = [reference.name, *by_name]
    return Dissection(
        nodes,
        case.entries,
        ops,
        compared,
        [*fusions, *litert_fusions],
        label_stats,
        batch_results,
        findings.deduplicate(all_findings, [op.nodes for op in ops]),
        runtimes,
        worst,
        worst_inputs,
    )


def _runnable_samples(reference: OnnxRuntimeProbe, case: Case) -> Feeds:
    """The samples; only the first one if the model does not run on the whole batch."""
    try:
        reference.values(case.samples)
    except Exception:  # ONNX Runtime's own error types: the batch is a constant, which the sweep will report
        return batch_of(case.samples, 0, 1, case.batched)
    return case.samples


def _answer_output(case: Case, expected: Feeds) -> str:
    """The output that counts as the model's answer: the first float output, else the first."""
    names = [str(value.name) for value in case.model.graph.output if value.name in expected]
    return next((name for name in names if numeric(expected[name])), names[0])


def _first_two_answers(
    reference: OnnxRuntimeProbe, case: Case, samples: Feeds, value: Array, output: str
) -> Array | None:
    """The answer for a batch of only the first two samples; None if outputs do not have a row per sample."""
    names, inputs = case.batched, model_file.inputs(case.model)
    count = sample_count(samples, names)
    if not names or fixed_batch(inputs) is not None or count < 2 or value.ndim == 0 or len(value) != count:
        return None
    fewer = reference.values(batch_of(samples, 0, 2, names))[output]
    return fewer if fewer.shape == (2, *value.shape[1:]) else None


def _is_independent(reference: OnnxRuntimeProbe, case: Case, samples: Feeds, value: Array, output: str) -> bool:
    """Whether a model with a fixed batch answers each sample independently: reordered samples get the same answers."""
    size, names = fixed_batch(model_file.inputs(case.model)), case.batched
    if size is None or not names or value.ndim == 0 or not len(value) == size == sample_count(samples, names):
        return False
    rolled = {name: np.roll(array, 1, 0) if name in names else array for name, array in samples.items()}
    again = reference.values(rolled)[output]
    return size == 1 or (again.shape == value.shape and _batch_dependence(again[1:], value) < _SAME_ANSWER)


def _batch_dependence(two: Array, value: Array) -> float:
    """How much the first sample's answer depends on the rest of the batch, as a share of the range."""
    if not numeric(value):
        return 0.0
    return float(np.abs(two[0].astype(np.float64) - value[0]).max(initial=0.0) / value_range(value))


def _open_probes(case: Case) -> list[Probe]:
    makers: dict[str, Callable[[], Probe]] = {}
    program, folder = case.program, case.folder
    if program is not None:
        makers[PYTORCH.name] = lambda: PyTorchProbe(program, case.model)
    if folder is not None:
        if (folder / TENSORFLOW_FROZEN.file).is_file():
            makers[TENSORFLOW.name] = lambda: TensorFlowProbe(folder, case.entries, case.model)
        for spec in LITERT:
            if (folder / spec.file).is_file():
                makers[spec.name] = partial(LiteRTProbe, folder, spec, case.entries)
    probes = []
    for name, make in makers.items():
        if name not in case.dead:
            with active(name):
                probes.append(make())
    return probes


def _float64_values(case: Case, samples: Feeds, on_step: OnStep) -> Feeds:
    """The values of all tensors in float64; empty if that fails, then the noise is taken to be one rounding."""
    if Float64Probe.name in case.dead:
        return {}
    try:
        on_step(_("computing every tensor in {runtime}", runtime=Float64Probe.name), 0, 1)
        return run_probe(Float64Probe(case.model), samples)
    except ConversionError:
        return {}


def _check_answers(
    case: Case,
    config: DissectConfig,
    final: Mapping[str, Callable[[Feeds], Array]],
    value: Array,
    independent: bool,
    on_step: OnStep,
) -> tuple[dict[str, Labels], list[BatchResult], list[WorstInput], dict[str, Feeds]]:
    """Check the final output: labels, batch sizes, the worst inputs."""
    fixed = fixed_batch(model_file.inputs(case.model))
    sizes = config.batch_sizes if fixed is None else (fixed,)
    batch_results = sweep.sweep(final, case.samples, case.batched, sizes, on_step)
    if fixed is not None:
        final = {name: answer_in_fixed_batches(answer, fixed, case.batched) for name, answer in final.items()}
    others = {name: answer for name, answer in final.items() if name != ONNX_RUNTIME.name}
    label_stats: dict[str, Labels] = {}
    comparable = independent and not any(item.fault for item in batch_results)
    if comparable and labels.is_scores(value):
        scores = {}
        for index, (name, answer) in enumerate(final.items()):
            on_step(_("looking for labels that could flip in {runtime}", runtime=name), index, len(final))
            scores[name] = answer_in_parts(answer, case.many, case.batched)
        label_stats = labels.compare_labels(
            scores[ONNX_RUNTIME.name], {name: scores[name] for name in others}, case.labels
        )
    worst: list[WorstInput] = []
    worst_inputs: dict[str, Feeds] = {}
    searchable = comparable and len(case.batched) == len(case.samples) and numeric(value)
    if searchable and config.worst != "no":
        for index, (name, answer) in enumerate(others.items()):
            result, worst_inputs[name] = worst_input.search(
                name,
                final[ONNX_RUNTIME.name],
                answer,
                case.samples,
                value_range(value),
                config,
                partial(_search_step, on_step, name, index, len(others)),
            )
            worst.append(result)
    return label_stats, batch_results, worst, worst_inputs


def _search_step(on_step: OnStep, name: str, index: int, count: int, step: int, steps: int) -> None:
    """Report a step of the search of one of `count` runtimes."""
    on_step(_("searching for the worst input of {runtime}", runtime=name), index * steps + step, count * steps)


def _int8_findings(
    litert: Sequence[LiteRTProbe],
    expected: Feeds,
    nodes: list[NodeResult],
    output: str,
    label_stats: dict[str, Labels],
) -> list[Finding]:
    probe = next((item for item in litert if item.name == int8_ranges.INT8), None)
    return [] if probe is None else int8_ranges.findings(probe.ranges(), expected, nodes, output, label_stats)
