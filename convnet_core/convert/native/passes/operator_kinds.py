"""Operators grouped by how they depend on the order of dimensions."""

UNARY = """
    Abs Acos Acosh Asin Asinh Atan Atanh Cast Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid
    HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin
    Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Dropout
""".split()  # noqa: SIM905  # a list of names reads best as one
"""Elementwise in the first input; further inputs are scalars."""

BROADCASTING = """
    Add Sub Mul Div Pow Mod Max Min Mean Sum And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual Where
    PRelu BitwiseAnd BitwiseOr BitwiseXor
""".split()  # noqa: SIM905  # a list of names reads best as one
"""Elementwise in all inputs, after broadcasting."""

OVER_AXES = """
    ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum
    ReduceLogSumExp Squeeze
""".split()  # noqa: SIM905  # a list of names reads best as one
"""Reduce or remove the dimensions given by an attribute or the second input."""
