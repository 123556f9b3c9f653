#!/usr/bin/env bash
# "Train on GPU", tried: losses and accuracies against the CPU's, resuming, exporting, speed. At most four minutes.
#     benchmarks/gpu.sh > gpu.jsonl
# Needs PyTorch, NumPy, onnx and safetensors; without a CUDA device the same in small on the CPU, in about a minute.
# $CONVNET_DATA_DIR may be a folder of MNIST's IDX files; else digits are generated. $PYTHON: another Python.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
exec timeout --signal=INT --kill-after=5 "${LIMIT:-230}" "${PYTHON:-python3}" -m benchmarks.gpu "$@"
