"""Export from PyTorch to ONNX with verification; networks from a factory function."""
