"""ONNX files: open, repair and check them, infer tensor shapes, and find the input values a model accepts."""
