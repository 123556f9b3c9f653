"""ONNX's own tests that the native converter does not pass, with reasons, and tests whose outcome is random."""

RANDOM_TESTS = {
    "test_bernoulli",
    "test_bernoulli_double",
    "test_bernoulli_double_expanded",
    "test_bernoulli_expanded",
    "test_bernoulli_seed",
    "test_bernoulli_seed_expanded",
    "test_training_dropout",
    "test_training_dropout_default",
    "test_training_dropout_default_mask",
    "test_training_dropout_mask",
}
"""Tests that draw random numbers and expect the ones ONNX's reference drew. They pass or fail by chance, so they are
skipped; test_random.py checks the distributions instead."""

EXPECTED = {
    "the rank of an If output is unknown while tracing": """
        test_affine_grid_2d_expanded test_affine_grid_2d_align_corners_expanded
        test_affine_grid_3d_align_corners_expanded
    """,
    "computed in float32 and rounded once; ONNX's expected values are rounded to bfloat16 at each step": """
        test_attention_4d_causal_bf16 test_attention_4d_causal_bf16_expanded test_attention_4d_padded_kv_bf16
        test_attention_4d_padded_kv_bf16_expanded test_attention_4d_causal_padded_kv_bf16
        test_attention_4d_causal_padded_kv_bf16_expanded
        test_attention_3d_causal_bf16 test_attention_3d_causal_bf16_expanded
    """,
    "TensorFlow can store float4_e2m1fn but has no operation for it": """
        test_cast_FLOAT4E2M1_to_FLOAT test_cast_FLOAT4E2M1_to_FLOAT16 test_cast_FLOAT_to_FLOAT4E2M1
        test_cast_FLOAT16_to_FLOAT4E2M1 test_castlike_FLOAT4E2M1_to_FLOAT test_castlike_FLOAT4E2M1_to_FLOAT_expanded
        test_castlike_FLOAT4E2M1_to_FLOAT16 test_castlike_FLOAT4E2M1_to_FLOAT16_expanded
        test_castlike_FLOAT_to_FLOAT4E2M1 test_castlike_FLOAT_to_FLOAT4E2M1_expanded
        test_castlike_FLOAT16_to_FLOAT4E2M1 test_castlike_FLOAT16_to_FLOAT4E2M1_expanded
        test_dequantizelinear_float4e2m1 test_quantizelinear_float4e2m1
    """,
    "TensorFlow can store int2 and uint2 but has no operation for them": """
        test_cast_FLOAT_to_UINT2 test_cast_FLOAT16_to_UINT2 test_cast_FLOAT_to_INT2 test_cast_FLOAT16_to_INT2
        test_cast_UINT2_to_FLOAT test_cast_UINT2_to_FLOAT16 test_cast_UINT2_to_UINT8 test_cast_INT2_to_FLOAT
        test_cast_INT2_to_FLOAT16 test_cast_INT2_to_INT8 test_castlike_FLOAT_to_UINT2
        test_castlike_FLOAT_to_UINT2_expanded test_castlike_FLOAT16_to_UINT2 test_castlike_FLOAT16_to_UINT2_expanded
        test_castlike_FLOAT_to_INT2 test_castlike_FLOAT_to_INT2_expanded test_castlike_FLOAT16_to_INT2
        test_castlike_FLOAT16_to_INT2_expanded test_castlike_UINT2_to_FLOAT test_castlike_UINT2_to_FLOAT_expanded
        test_castlike_UINT2_to_FLOAT16 test_castlike_UINT2_to_FLOAT16_expanded test_castlike_UINT2_to_UINT8
        test_castlike_UINT2_to_UINT8_expanded test_castlike_INT2_to_FLOAT test_castlike_INT2_to_FLOAT_expanded
        test_castlike_INT2_to_FLOAT16 test_castlike_INT2_to_FLOAT16_expanded test_castlike_INT2_to_INT8
        test_castlike_INT2_to_INT8_expanded test_dequantizelinear_uint2 test_dequantizelinear_int2
        test_quantizelinear_uint2 test_quantizelinear_int2
    """,
    "TensorFlow has no dtype float8_e8m0fnu": """
        test_cast_e8m0_FLOAT_to_FLOAT8E8M0 test_cast_e8m0_FLOAT16_to_FLOAT8E8M0 test_cast_e8m0_FLOAT8E8M0_to_FLOAT
        test_cast_e8m0_FLOAT8E8M0_to_FLOAT16
    """,
    "only one branch returns a value for an optional": """
        test_if_opt
    """,
    "TensorFlow decodes only JPEG, PNG, BMP, GIF and WebP": """
        test_image_decoder_decode_jpeg2k_rgb test_image_decoder_decode_tiff_rgb test_image_decoder_decode_pnm_rgb
    """,
    "the operator Gradient is not supported: TensorFlow differentiates a SavedModel itself": """
        test_gradient_of_add test_gradient_of_add_and_mul
    """,
    "a loop changes a sequence, and the model computes the number of iterations": """
        test_loop13_seq test_loop16_seq_none
    """,
    "ONNX expects corners aligned for the size before rounding; ONNX Runtime gives the same result as we do": """
        test_resize_downsample_scales_linear_align_corners test_resize_downsample_scales_cubic_align_corners
    """,
    "the model computes the sizes of the parts to split into": """
        test_split_to_sequence_1
    """,
}

REASONS = {name: reason for reason, names in EXPECTED.items() for name in names.split()}
"""The reason by test name."""
