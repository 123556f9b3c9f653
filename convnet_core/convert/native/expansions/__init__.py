"""Replace fused operators by standard ONNX operators before any other pass.

This way, the passes see the convolution in FusedConv and the sum in QLinearAdd, and each needs only one handler. To add
an operator, write a function in the matching file and add a line to `onnx_files/contrib.py`.
"""
