"""A model as Keras 3 source code that a person could have written, with its weights.

`statements` calls the handler of each node (in `ops/`, looked up by `registry`), which gives one or more statements.
`modules` groups them by PyTorch's modules, `functions` writes each class of modules once, `loops` rolls up repeated
calls, and `writer` prints the file.
"""
