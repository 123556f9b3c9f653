"""What tests and benchmarks share: a browser, drawn digits, ONNX's node tests, networks, trials."""
