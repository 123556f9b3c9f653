"""Schemas of the supported com.microsoft operators, for ONNX's checker and shape inference, which lack them.

Names, inputs, outputs and attributes follow ONNX Runtime 1.32 (docs/ContribOperators.md in its repository).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import onnx
import onnx.defs
from onnx.defs import OpSchema

from convnet_core.onnx_files import contrib_shapes as shapes
from convnet_core.onnx_files.functions import walk_nodes

DOMAIN = "com.microsoft"

_WINDOW = "auto_pad:s dilations:is group:i kernel_shape:is pads:is strides:is"
_POOL = "auto_pad:s ceil_mode:i kernel_shape:is pads:is strides:is"
_BATCHES = "alpha:f transA:i transB:i transBatchA:i transBatchB:i"
_HEADS = "num_heads:i unidirectional:i scale:f mask_filter_value:f do_rotary:i past_present_share_buffer:i"
_QLINEAR_CONV_INPUTS = "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B?"

_OPERATORS: dict[str, shapes.Infer] = {
    # name: inputs -> outputs | attributes; "?" marks optional, "*" any number
    "Gelu: X -> Y": shapes.same,
    "QuickGelu: X -> Y | alpha:f": shapes.same,
    "BiasGelu: A B -> C": shapes.same,
    "FastGelu: X bias? -> Y": shapes.same,
    "SkipLayerNormalization: input skip gamma beta? bias? -> output mean? inv_std_var? sum? | epsilon:f": shapes.same,
    "SkipSimplifiedLayerNormalization: input skip gamma bias? -> output mean? inv_std_var? sum? | epsilon:f": (
        shapes.same
    ),
    "EmbedLayerNormalization: input_ids segment_ids? word_embedding position_embedding segment_embedding? gamma beta"
    " mask? position_ids? -> output mask_index? embedding_sum? | epsilon:f mask_index_type:i": shapes.embedding,
    f"FusedMatMul: A B -> Y | {_BATCHES}": shapes.matmul,
    "TransposeMatMul: A B -> Y | alpha:f transA:i transB:i": shapes.matmul,
    "FusedGemm: A B C? -> Y | activation:s activation_alpha:f activation_beta:f activation_gamma:f alpha:f beta:f"
    " transA:i transB:i": shapes.gemm,
    "Attention: input weights bias? mask_index? past? attention_bias? past_sequence_length? -> output present?"
    f" | {_HEADS} qkv_hidden_sizes:is rotary_embedding_dim:i": shapes.attention,
    f"QAttention: input weight bias input_scale weight_scale mask_index? input_zero_point? weight_zero_point? past?"
    f" -> output present? | {_HEADS}": shapes.attention,
    "MultiHeadAttention: query key? value? bias? key_padding_mask? attention_bias? past_key? past_value?"
    " past_sequence_length? cache_indirection? -> output present_key? present_value? qk?"
    " | num_heads:i unidirectional:i scale:f mask_filter_value:f": shapes.heads,
    f"FusedConv: X W B? Z? -> Y | {_WINDOW} activation:s activation_params:fs": shapes.conv,
    f"NhwcConv: X W B? -> Y | {_WINDOW}": shapes.conv_last,
    f"NhwcFusedConv: X W B? Z? -> Y | {_WINDOW} activation:s activation_params:fs": shapes.conv_last,
    f"QLinearConv: {_QLINEAR_CONV_INPUTS} -> y | {_WINDOW} channels_last:i": shapes.quantized_conv,
    f"NhwcMaxPool: x -> y | {_POOL} dilations:is": shapes.pool_last,
    "QuantizeLinear: x y_scale y_zero_point? -> y | axis:i": shapes.quantize,
    "DequantizeLinear: x x_scale x_zero_point? -> y | axis:i": shapes.dequantize,
    "QLinearAdd: A A_scale A_zero_point? B B_scale B_zero_point? C_scale C_zero_point? -> C": shapes.broadcast,
    "QLinearMul: A A_scale A_zero_point? B B_scale B_zero_point? C_scale C_zero_point? -> C": shapes.broadcast,
    "QLinearLeakyRelu: X X_scale X_zero_point? Y_scale Y_zero_point? -> Y | alpha:f": shapes.same,
    "QLinearSigmoid: X X_scale X_zero_point? Y_scale Y_zero_point? -> Y": shapes.same,
    "QLinearSoftmax: X X_scale X_zero_point? Y_scale Y_zero_point -> Y | axis:i opset:i": shapes.same,
    "QLinearConcat: Y_scale Y_zero_point inputs* -> Y | axis:i": shapes.concat,
    "QLinearWhere: condition X x_scale x_zero_point Y y_scale y_zero_point z_scale z_zero_point -> Z": shapes.where,
    "QLinearReduceMean: data data_scale data_zero_point? reduced_scale reduced_zero_point? -> reduced"
    " | axes:is keepdims:i": shapes.mean,
    f"QLinearAveragePool: X x_scale x_zero_point? y_scale y_zero_point? -> Y | {_POOL} channels_last:i"
    " count_include_pad:i": shapes.pool,
    "QLinearGlobalAveragePool: X x_scale x_zero_point y_scale y_zero_point -> Y | channels_last:i": shapes.global_pool,
    "QGemm: A a_scale a_zero_point B b_scale b_zero_point C? y_scale? y_zero_point? -> Y | alpha:f transA:i transB:i": (
        shapes.quantized_gemm
    ),
    "DynamicQuantizeMatMul: A B b_scale b_zero_point? bias? -> Y": shapes.matmul,
    "MatMulIntegerToFloat: A B a_scale b_scale a_zero_point? b_zero_point? bias? -> Y": shapes.matmul,
}
_ONNX_OPERATORS = {
    # ONNX Runtime's optimizer adds these to ONNX's domain, the first even to opsets older than the operator
    "LayerNormalization: X Scale B? -> Y Mean? InvStdDev? | axis:i epsilon:f stash_type:i": shapes.same,
    "SimplifiedLayerNormalization: X scale -> Y inv_std_var? | axis:i epsilon:f stash_type:i": shapes.same,
}

_SIGNATURES = {
    (domain, text.partition(":")[0]): (text.partition(":")[2], infer)
    for domain, operators in ((DOMAIN, _OPERATORS), ("", _ONNX_OPERATORS))
    for text, infer in operators.items()
}
OPERATORS = frozenset(_SIGNATURES)
"""Pairs of domain and name."""

_lock = threading.RLock()
_DTYPES = "float double float16 bfloat16 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool".split()  # noqa: SIM905
_ATTRIBUTES = {
    "i": OpSchema.AttrType.INT,
    "is": OpSchema.AttrType.INTS,
    "f": OpSchema.AttrType.FLOAT,
    "fs": OpSchema.AttrType.FLOATS,
    "s": OpSchema.AttrType.STRING,
}


@contextlib.contextmanager
def use_schemas(model: onnx.ModelProto) -> Iterator[None]:
    """Register the schemas that a model needs while the context is open.

    They are not registered permanently: onnx.reference in onnx 1.23 fails to import while two domains have an operator
    of the same name (Gelu).
    """
    used = {(node.domain, node.op_type) for part in (model.graph, *model.functions) for node in walk_nodes(part.node)}
    used &= _SIGNATURES.keys()
    if not used:
        yield
        return
    opsets = {"": 1, DOMAIN: 1} | {item.domain.removeprefix("ai.onnx"): item.version for item in model.opset_import}
    with _lock:
        missing = [(domain, name) for domain, name in used if not onnx.defs.has(name, opsets[domain], domain)]
        for key in missing:
            onnx.defs.register_schema(_schema(*key))
        try:
            yield
        finally:
            for domain, name in missing:
                onnx.defs.deregister_schema(name, 1, domain)


def _schema(domain: str, name: str) -> OpSchema:
    signature, infer = _SIGNATURES[domain, name]
    dtypes = [f"tensor({dtype})" for dtype in _DTYPES]
    ports, _, attributes = signature.partition(" | ")
    inputs, _, outputs = ports.partition("->")
    input_parameters, output_parameters = (
        [_parameter(text, f"{side}{index}") for index, text in enumerate(texts.split())]
        for side, texts in (("I", inputs), ("O", outputs))
    )
    schema = OpSchema(
        name,
        domain,
        1,
        inputs=input_parameters,
        outputs=output_parameters,
        type_constraints=[(port.type_str, dtypes, "") for port in input_parameters + output_parameters],
        attributes=[_attribute(*item.split(":")) for item in attributes.split()],
    )
    schema.set_type_and_shape_inference_function(infer)
    return schema


def _parameter(text: str, kind: str) -> OpSchema.FormalParameter:
    options = {"?": OpSchema.FormalParameterOption.Optional, "*": OpSchema.FormalParameterOption.Variadic}
    option = options.get(text[-1], OpSchema.FormalParameterOption.Single)
    return OpSchema.FormalParameter(text.rstrip("?*"), kind, param_option=option, is_homogeneous=False)


def _attribute(name: str, kind: str) -> OpSchema.Attribute:
    return OpSchema.Attribute(name, _ATTRIBUTES[kind], required=False)
