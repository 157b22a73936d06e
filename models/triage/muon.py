"""Muon for the weight matrices: momentum whose update is made near-orthogonal.

Adam alone needs far more examples to find the look-up circuits of this task
(which phrase, denied or not, which flag).  Giving all directions of a matrix
the same step size is what a few Newton-Schulz iterations achieve.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor


def orthogonal(batch: Tensor, rounds: int = 5) -> Tensor:
    """Nearest orthogonal matrices of a batch [n, rows, columns], roughly.

    Each round maps every singular value s to a*s + b*s^3 + c*s^5; the
    coefficients push values of (0, 1] quickly towards 1.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = batch.shape[1] > batch.shape[2]
    x = batch.transpose(1, 2) if tall else batch
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(rounds):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """One momentum buffer per matrix; matrices of one shape are handled together."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Apply one update from the gradients at hand."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                shapes[weight.shape].append(weight)
            for shape, weights in shapes.items():
                moved = []
                for weight in weights:
                    state = self.state[weight]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(weight)
                    state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                    # Nesterov: look one step ahead along the momentum
                    moved.append(weight.grad.lerp(state["momentum"], group["momentum"]))
                # scaled so that an update is as large, per entry, as Adam's
                scale = 0.2 * max(shape) ** 0.5
                for weight, update in zip(weights, orthogonal(torch.stack(moved))):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update, alpha=-group["lr"] * scale)
