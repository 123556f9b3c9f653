"""ONNX to TensorFlow: a converter of our own and onnx-tf, the files they write, and what each node became."""
