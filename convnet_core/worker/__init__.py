"""A worker process for tasks that may crash, such as TensorFlow's converters and LiteRT.

The process starts once, keeps its libraries imported for later tasks, and is replaced if it dies. `client` sends tasks,
`__main__` runs them, and `messages` defines the protocol. This package is independent of the tasks.
"""
