"""The converter onnx-tf, adapted to current library versions."""
