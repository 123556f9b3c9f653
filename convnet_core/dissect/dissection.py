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
from convnet_core.dissect.examine import NodeResult, examine, run_probe
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.probes.base import Probe, numeric
from convnet_core.dissect.probes.float64 import Float64Probe
from convnet_core.dissect.probes.litert import LiteRTOp, LiteRTProbe
from convnet_core.dissect.probes.onnxruntime import OnnxRuntimeProbe
from convnet_core.dissect.probes.pytorch import PyTorchProbe
from convnet_core.dissect.probes.tensorflow import TensorFlowProbe
from convnet_core.errors import ConversionError
from convnet_core.onnx_files import model_file
from convnet_core.runtimes.specs import LITERT, ONNX_RUNTIME, PYTORCH, TENSORFLOW, TENSORFLOW_FROZEN
from convnet_core.tensors.arrays import Array, Feeds, batch_of, fixed_batch, sample_count

OnStep = Callable[[str], None]

_SAME_ANSWER = 1e-3
"""Of the range: what two answers to one sample may differ by."""


@dataclass(frozen=True)
class Dissection:
    """Everything that was found; `nodes` in the order of the graph, and in `worst_inputs` by
    runtime the sample on which it was furthest off.
    """

    nodes: list[NodeResult]
    entries: NodeMap
    litert: list[LiteRTOp]
    weights: list[weights.Weight]
    fusions: list[batchnorm_folding.Fusion]
    labels: dict[str, labels.Labels]
    sweep: list[sweep.BatchResult]
    findings: list[Finding]
    runtimes: list[str]
    worst: list[worst_input.WorstInput] = field(default_factory=list)
    worst_inputs: dict[str, Feeds] = field(default_factory=dict)


def dissect(case: Case, config: DissectConfig, tell: OnStep) -> Dissection:
    """Take a case apart. Raises ModelError where the ONNX model cannot be run at all."""
    reference = OnnxRuntimeProbe(case.model)
    samples = _runnable_samples(reference, case)
    probes = _open_probes(case)
    try:
        nodes, values = examine(case.model, reference, _float64_values(case, samples, tell), probes, samples, tell)
        expected = values[reference.name]
        tell("looking at the weights")
        there = weights.converted_weights(case.folder, case.entries) if case.folder is not None else {}
        laid = weights.compare_weights(case.model, case.entries, there)
        folded = batchnorm_folding.find_fusions(case.model, case.program) if case.program is not None else []
        output = _answer_output(case, expected)
        alone = _first_two_answers(reference, case, samples, expected[output], output)
        each = alone is not None or _is_independent(reference, case, samples, expected[output], output)
        with answer_functions(case, output) as final:
            told, tried, least, points = _check_answers(case, config, final, expected[output], each, tell)
        shapes = {name: array.shape for name, array in expected.items()}
        named = {probe.name: probe for probe in probes}
        litert = [probe for probe in probes if isinstance(probe, LiteRTProbe)]
        plain = next((probe for probe in litert if probe.precision == "float32"), None)
        there_too = [] if plain is None else batchnorm_folding.find_litert_fusions(case.model, plain.kernels())
        found = [
            *findings.training_mode(case.model, 0.0 if alone is None else _batch_dependence(alone, expected[output])),
            *weights.findings(case.model, laid, there, shapes),
            *batchnorm_folding.findings(folded),
            *sweep.findings(tried, case.model),
            *input_range.findings(case, told),
            *_int8_findings(litert, expected, nodes, output, told),
            *findings.crashes(case),
            *findings.unsupported(case),
            *findings.different_shapes(nodes, named),
            *findings.introduced_errors(nodes, case.model, named, expected),
        ]
        if not any(item.node for item in found):
            found += findings.beyond_tolerance(nodes, named)
    finally:
        for probe in probes:
            probe.close()
    ops = next((probe.ops for probe in litert), [])
    runtimes = [reference.name, *named]
    return Dissection(
        nodes,
        case.entries,
        ops,
        laid,
        [*folded, *there_too],
        told,
        tried,
        findings.deduplicate(found, [op.nodes for op in ops]),
        runtimes,
        least,
        points,
    )


def _runnable_samples(reference: OnnxRuntimeProbe, case: Case) -> Feeds:
    """The samples, or the first alone where the model does not run on all at once."""
    try:
        reference.values(case.samples)
    except Exception:  # ONNX Runtime's kinds: a batch that is a constant, which the sweep will tell
        return batch_of(case.samples, 0, 1, case.batched)
    return case.samples


def _answer_output(case: Case, expected: Feeds) -> str:
    """The output that is looked at as the model's answer: the first of floats, else the first."""
    names = [str(value.name) for value in case.model.graph.output if value.name in expected]
    return next((name for name in names if numeric(expected[name])), names[0])


def _first_two_answers(
    reference: OnnxRuntimeProbe, case: Case, samples: Feeds, value: Array, output: str
) -> Array | None:
    """The answer to the first two samples alone; None where an answer is not of one sample each."""
    names, inputs = case.batched, model_file.inputs(case.model)
    count = sample_count(samples, names)
    if not names or fixed_batch(inputs) is not None or count < 2 or value.ndim == 0 or len(value) != count:
        return None
    fewer = reference.values(batch_of(samples, 0, 2, names))[output]
    return fewer if fewer.shape == (2, *value.shape[1:]) else None


def _is_independent(reference: OnnxRuntimeProbe, case: Case, samples: Feeds, value: Array, output: str) -> bool:
    """Whether a model of one batch size answers each sample by itself: in another order they have the same answers."""
    size, names = fixed_batch(model_file.inputs(case.model)), case.batched
    if size is None or not names or value.ndim == 0 or not len(value) == size == sample_count(samples, names):
        return False
    turned = {name: np.roll(array, 1, 0) if name in names else array for name, array in samples.items()}
    again = reference.values(turned)[output]
    return size == 1 or (again.shape == value.shape and _batch_dependence(again[1:], value) < _SAME_ANSWER)


def _batch_dependence(alone: Array, value: Array) -> float:
    """How much the first sample's answer changes with the others in its batch, as a part of the range."""
    if not numeric(value):
        return 0.0
    return float(np.abs(alone[0].astype(np.float64) - value[0]).max(initial=0.0) / value_range(value))


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


def _float64_values(case: Case, samples: Feeds, tell: OnStep) -> Feeds:
    """The values of all tensors in float64; none where it cannot be: then the noise is taken to be one rounding."""
    if Float64Probe.name in case.dead:
        return {}
    try:
        return run_probe(Float64Probe(case.model), samples, tell)
    except ConversionError:
        return {}


def _check_answers(
    case: Case,
    config: DissectConfig,
    final: Mapping[str, Callable[[Feeds], Array]],
    value: Array,
    by_sample: bool,
    tell: OnStep,
) -> tuple[dict[str, labels.Labels], list[sweep.BatchResult], list[worst_input.WorstInput], dict[str, Feeds]]:
    """What is seen of the final answer: labels, batch sizes, the worst inputs."""
    tell("trying batch sizes")
    fixed = fixed_batch(model_file.inputs(case.model))
    tried = sweep.sweep(final, case.samples, case.batched, config.batch_sizes if fixed is None else (fixed,))
    if fixed is not None:
        final = {name: answer_in_fixed_batches(answer, fixed, case.batched) for name, answer in final.items()}
    others = {name: answer for name, answer in final.items() if name != ONNX_RUNTIME.name}
    told: dict[str, labels.Labels] = {}
    runs = by_sample and not any(item.fault for item in tried)
    if runs and labels.is_scores(value):
        tell("looking for labels that could flip")
        scores = {name: answer_in_parts(answer, case.many, case.batched) for name, answer in final.items()}
        told = labels.compare_labels(scores[ONNX_RUNTIME.name], {name: scores[name] for name in others}, case.labels)
    least: list[worst_input.WorstInput] = []
    points: dict[str, Feeds] = {}
    if runs and len(case.batched) == len(case.samples) and numeric(value):
        for name, answer in others.items():
            tell(f"searching for the worst input of {name}")
            result, points[name] = worst_input.search(
                name, final[ONNX_RUNTIME.name], answer, case.samples, value_range(value), config.steps, config.seed
            )
            least.append(result)
    return told, tried, least, points


def _int8_findings(
    litert: Sequence[LiteRTProbe], expected: Feeds, nodes: list[NodeResult], output: str, told: dict[str, labels.Labels]
) -> list[Finding]:
    probe = next((item for item in litert if item.name == int8_ranges.INT8), None)
    return [] if probe is None else int8_ranges.findings(probe.ranges(), expected, nodes, output, told)
