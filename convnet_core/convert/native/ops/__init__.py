"""Handlers of ONNX operators, one file per family. `registry` imports every file here."""
