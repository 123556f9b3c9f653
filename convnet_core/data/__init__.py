"""Digits: strokes, MNIST, folders of IDX files, drawings and photographs."""
