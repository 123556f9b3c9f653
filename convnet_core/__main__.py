"""`python -m convnet_core`."""

import gc
import sys

from convnet_core.cli.main import main

if __name__ == "__main__":
    status = main()
    gc.freeze()  # the half a million objects of PyTorch and TensorFlow: at exit, Python would walk over them for 1.3 s
    sys.exit(status)
