"""Handlers of ONNX operators, a file a family. `registry` imports every file here."""
