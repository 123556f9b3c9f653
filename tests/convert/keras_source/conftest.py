"""TensorFlow as the project imports it, after what it cannot stand to come later."""

from convnet_core.common.tensorflow_import import import_tensorflow

import_tensorflow()
