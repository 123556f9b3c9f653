"""Models as Keras source code."""
