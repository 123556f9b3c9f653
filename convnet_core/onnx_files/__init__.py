"""ONNX files: open, repair, check and bound them, and infer the shapes of their tensors."""
