"""A process that does work which may crash: TensorFlow's converters, LiteRT and the rest.

It is started once, keeps its libraries imported for the next task, and is replaced when it has died. `client` asks,
`__main__` works, `messages` is what goes between them. Nothing here knows what the work is.
"""
