"""Take a conversion apart: for each ONNX node what it became, and how much error each runtime adds there.

`probes` give the value of every tensor, in ONNX's order: ONNX Runtime, which is the reference, PyTorch, TensorFlow,
LiteRT, and the same graph in float64, which tells noise from mistakes. `examine` compares them node by node, and tells
an error that is born at a node from one that it inherited. `checks` say in sentences what is wrong.
"""
