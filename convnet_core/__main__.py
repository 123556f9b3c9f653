"""`python -m convnet_core`."""

import sys

from convnet_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
