"""Shared by tests and benchmarks: a browser, drawn digits, ONNX's node tests, networks, reliability trials."""
