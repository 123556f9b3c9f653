"""Convert ONNX to TensorFlow: the native converter, onnx-tf, the target formats, and the map of nodes to ops."""
