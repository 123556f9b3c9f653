"""Digits: synthetic handwriting, MNIST, folders of IDX files, drawings and photographs."""
