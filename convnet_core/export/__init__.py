"""PyTorch to ONNX, verified; networks from a factory function."""
