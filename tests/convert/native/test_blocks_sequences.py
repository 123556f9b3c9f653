"""Recurrent layers, attention and transformers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.convert.native.blocks import mismatches
from tests.support.marks import few_quick

X = torch.randn(2, 7, 12)  # [batch, time, features]


class Recurrent(nn.Module):
    """A recurrent layer with optional initial states; inputs, outputs and states are batch first."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, *states):
        initial = tuple(state.transpose(0, 1).contiguous() for state in states)
        y, after = self.layer(x, initial if len(initial) > 1 else initial[0] if initial else None)
        after = after if isinstance(after, tuple) else (after,)
        return (y, *(state.transpose(0, 1) for state in after))


def recurrent():
    table = {}
    for kind, layer in {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}.items():
        states = 2 if kind == "lstm" else 1
        table |= {
            kind: (Recurrent(layer(12, 5, bias=kind != "gru", batch_first=True)), X),
            f"{kind}_bidirectional": (Recurrent(layer(12, 5, bidirectional=True, batch_first=True)), X),
            f"{kind}_states": (Recurrent(layer(12, 5, batch_first=True)), X, *[torch.randn(2, 1, 5)] * states),
        }
    relu = nn.RNN(12, 5, nonlinearity="relu", batch_first=True)
    deep = nn.LSTM(12, 5, num_layers=2, bidirectional=True, batch_first=True)
    return table | {"deep": (Recurrent(deep), X), "rnn_relu": (Recurrent(relu), X), "steps": (Steps(), X)}


def cells():
    return {
        "lstm": (OneStep(), X[:, 0], torch.randn(2, 5), torch.randn(2, 5)),
        "gru": (nn.GRUCell(12, 5), X[:, 0], torch.randn(2, 5)),
        "rnn": (nn.RNNCell(12, 5), X[:, 0], torch.randn(2, 5)),
    }


class OneStep(nn.Module):
    """An LSTMCell whose states are separate inputs."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(12, 5)

    def forward(self, x, hidden, cell):
        return self.cell(x, (hidden, cell))


class Steps(nn.Module):
    """A GRU cell in a Python loop over time."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(12, 5)

    def forward(self, x):
        state = x.new_zeros(x.shape[0], 5)
        for time in range(x.shape[1]):
            state = self.cell(x[:, time], state)
        return state


class SelfAttention(nn.Module):
    """Self-attention that also returns its weights."""

    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True, **options)

    def forward(self, x, *masks):
        return self.attention(x, x, x, *masks)


class EinsumAttention(nn.Module):
    """Attention written with einsum."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(12, 36)

    def forward(self, x):
        q, k, v = self.project(x).reshape(x.shape[0], 7, 3, 3, 4).permute(2, 0, 3, 1, 4)
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / 2
        y = torch.einsum("bhij,bhjd->bhid", scores.softmax(-1), v)
        return torch.einsum("bhid->bihd", y).flatten(2)


def causal(length):
    return torch.triu(torch.full((length, length), float("-inf")), 1)


def attention():
    heads = torch.randn(2, 3, 7, 4)
    padded = torch.tensor([[False] * 5 + [True] * 2, [False] * 7])
    return {
        "self": (SelfAttention(), X),
        "no_bias": (SelfAttention(bias=False), X),
        "extra": (SelfAttention(add_bias_kv=True, add_zero_attn=True), X),
        "padding": (SelfAttention(), X, padded),
        "einsum": (EinsumAttention(), X),
        "scaled": (F.scaled_dot_product_attention, heads, heads.roll(1, 1), heads * 2),
        "causal": (lambda q, k: F.scaled_dot_product_attention(q, k, k, is_causal=True), heads, heads * 2),
        "scale": (lambda q, k: F.scaled_dot_product_attention(q, k, k, scale=0.3), heads, heads * 2),
        "masked": (
            lambda q, k: F.scaled_dot_product_attention(q, k, k, attn_mask=torch.ones(7, 7, dtype=torch.bool).tril()),
            heads,
            heads * 2,
        ),
        "biased": (
            lambda q, k: F.scaled_dot_product_attention(q, k, k, attn_mask=causal(7) + 0.1), heads, heads * 2,
        ),
        "grouped": (
            lambda q, k: F.scaled_dot_product_attention(q, k[:, :1], k[:, :1], enable_gqa=True), heads, heads * 2,
        ),
    }  # fmt: skip


def transformers():
    options = {"d_model": 12, "nhead": 3, "dim_feedforward": 16, "batch_first": True}
    encoder, decoder = nn.TransformerEncoderLayer, nn.TransformerDecoderLayer
    return {
        "encoder": (encoder(**options), X),
        "encoder_first": (encoder(**options, norm_first=True, activation="gelu"), X),
        "encoder_deep": (nn.TransformerEncoder(encoder(**options), 2, nn.LayerNorm(12), enable_nested_tensor=False), X),
        "encoder_causal": (Masked(encoder(**options)), X),
        "decoder": (decoder(**options), X, X.flip(1)),
        "encoder_decoder": (nn.Transformer(12, 3, 1, 1, 16, batch_first=True), X, X.flip(1)),
        "tokens": (Tokens(), torch.randint(0, 20, (2, 7))),
    }


class Masked(nn.Module):
    """An encoder layer with a causal mask."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, src_mask=causal(x.shape[1]), is_causal=True)


class Tokens(nn.Module):
    """A small language model."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 12, padding_idx=0)
        self.positions = nn.Parameter(torch.randn(1, 7, 12))
        self.layer = nn.TransformerEncoderLayer(12, 3, 16, batch_first=True)
        self.head = nn.Linear(12, 20, bias=False)

    def forward(self, tokens):
        hidden = self.layer(self.embedding(tokens) + self.positions, src_key_padding_mask=tokens == 0)
        return self.head(hidden).log_softmax(-1), hidden.mean(1)


KINDS = {
    "recurrent": recurrent,
    "cells": cells,
    "attention": attention,
    "transformers": transformers,
}


@pytest.mark.parametrize("kind", few_quick(KINDS, "cells", "attention"))
def test_sequences(kind, tmp_path):
    torch.manual_seed(0)
    assert mismatches(KINDS[kind](), tmp_path) == []
