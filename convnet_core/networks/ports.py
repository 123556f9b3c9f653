"""The names of a digit network's input and output, from ONNX to LiteRT. Standard library only."""

INPUT, OUTPUT = "input", "logits"
