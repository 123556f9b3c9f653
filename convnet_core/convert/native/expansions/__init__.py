"""Operators that are written out as operators of ONNX before anything else is done to a graph.

So the passes see a convolution in FusedConv and a sum in QLinearAdd, and each has one handler. To add one, add a
function to the file of its kind and a line to `onnx_files/contrib.py`.
"""
