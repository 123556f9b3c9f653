"""Take a PyTorch convolutional network to TensorFlow and prove that nothing changed on the way.

The stages are `train`, `export`, `convert` and `compare`; each is one function in
`convnet_core.stages` that reads from and writes to the folder of a run (`convnet_core.runs.run`).
Importing this package imports neither torch nor tensorflow.
"""

__version__ = "0.1.0"
