"""The network: a llama-architecture decoder, sized to train on two CPU cores.

RMSNorm before each block, rotary positions, SwiGLU, no biases, and the output
layer tied to the embedding.  Rotary pairs are neighbours (2i, 2i+1), which is
what llama.cpp expects of this architecture, so weights are written unpermuted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Sizes of the network; they are written into the GGUF as they stand."""

    vocab: int = 1536
    width: int = 160
    layers: int = 4
    heads: int = 5
    hidden: int = 416
    context: int = 512
    rope_base: float = 10000.0
    eps: float = 1e-5

    @property
    def head_width(self) -> int:
        """Width of one attention head, all of it rotated."""
        return self.width // self.heads


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a learnt gain."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.width))
        self.eps = config.eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rotary_table(config: Config) -> tuple[Tensor, Tensor]:
    """Cosines and sines, [context, head_width / 2]."""
    steps = torch.arange(0, config.head_width, 2).float() / config.head_width
    angles = torch.arange(config.context).float()[:, None] / config.rope_base ** steps
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of neighbours in x [batch, heads, time, head_width]."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Block(nn.Module):
    """Attention and feed-forward, each with a residual."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, hidden = config.width, config.hidden
        self.heads, self.head_width = config.heads, config.head_width
        self.attn_norm, self.ffn_norm = RMSNorm(config), RMSNorm(config)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, width, bias=False)
        self.attn_v = nn.Linear(width, width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_gate = nn.Linear(width, hidden, bias=False)
        self.ffn_up = nn.Linear(width, hidden, bias=False)
        self.ffn_down = nn.Linear(hidden, width, bias=False)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        h = self.attn_norm(x)
        q = rotate(self._heads(self.attn_q(h)), cos, sin)
        k = rotate(self._heads(self.attn_k(h)), cos, sin)
        scores = q @ k.transpose(-1, -2) * self.head_width ** -0.5 + mask
        mixed = scores.softmax(-1) @ self._heads(self.attn_v(h))
        x = x + self.attn_output(mixed.transpose(1, 2).flatten(-2))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Llama(nn.Module):
    """Token ids [batch, time] to hidden states; `logits` maps those to scores."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.token_embd = nn.Embedding(config.vocab, config.width)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.output_norm = RMSNorm(config)
        cos, sin = rotary_table(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # residual outputs start smaller, by the depth they add up over
                scale = (2 * config.layers) ** -0.5 if name.endswith(("output.weight", "down.weight")) else 1
                nn.init.normal_(weight, std=0.04 * scale)

    def forward(self, ids: Tensor) -> Tensor:
        time = ids.shape[1]
        mask = torch.full((time, time), float("-inf")).triu(1)
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, self.cos[:time], self.sin[:time], mask)
        return self.output_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary, through the tied embedding."""
        return hidden @ self.token_embd.weight.T
