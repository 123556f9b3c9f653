"""The converter onnx-tf, made to work with today's libraries."""
