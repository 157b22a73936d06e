#!/usr/bin/python3
"""Trains the triage model from nothing and writes triage.gguf.

    train.py                      the released model: about twenty minutes on one core
    train.py --steps 50 --out build/short.gguf      a short run, to try things out

Data is generated on the fly, so no example is seen twice on purpose.  Ctrl-C or
SIGTERM finishes the step, saves a checkpoint and leaves without exporting, so a
released file is never replaced by a half-trained one; --resume goes on.
"""

import argparse
import ctypes
import itertools
import math
import os
import signal
import sys
import time
from pathlib import Path

# OpenBLAS reads this once, when torch loads it.  Its threads wait by spinning,
# which on a shared machine costs a core and gains nothing at these sizes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch
from torch.nn import functional as F

from examples import batches, encode, vocabulary
from export import export
from generate import notes
from model import Config, Llama
from muon import Muon
from tokenizer import Tokenizer

HERE = Path(__file__).parent
BUILD = HERE / "build"
CHECKPOINT = BUILD / "checkpoint.pt"
SEED = 20240607


def keep_freed_memory() -> None:
    """Stop glibc from handing every freed tensor back to the kernel.

    A step frees and takes the same few hundred megabytes again; without this a
    third of the time goes into page faults.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # absent outside glibc
    if mallopt:
        mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def loss_of(network: Llama, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over the answers; only their positions meet the big output layer."""
    where = targets != -100
    return F.cross_entropy(network.logits(network(ids)[where]), targets[where])


@torch.no_grad()
def exact_match(network: Llama, tokenizer: Tokenizer, split: str, count: int) -> float:
    """Share of notes whose whole answer is the greedy choice, token by token.

    Teacher forcing equals greedy decoding here: the first wrong token already
    makes the answer wrong, and until then both have the same history.
    """
    right = 0
    for note in itertools.islice(notes(split, SEED), count):
        ids, learnt = encode(tokenizer, None, [note])
        best = network.logits(network(torch.tensor([ids]))[0, :-1]).argmax(-1)
        right += all(b == t for b, t, own in zip(best.tolist(), ids[1:], learnt[1:]) if own)
    return right / count


def rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up, then a cosine down to a fiftieth of the peak, in two stages.

    The first stage heads for the end at two thirds of the run and is broken off
    at six tenths, nearly cooled down; the second takes up the cosine of the whole run, a
    restart at about a third of the peak.
    """
    if step < 100:
        return peak * (step + 1) / 100
    end = steps * 2 / 3 if step < steps * 0.6 else steps
    return peak * (0.02 + 0.98 * (1 + math.cos(math.pi * step / end)) / 2)


class Trainer:
    """The network, its two optimisers, and the step they have reached."""

    def __init__(self, config: Config, steps: int, peak: float) -> None:
        self.network = Llama(config)
        self.steps, self.peak, self.step = steps, peak, 0
        matrices, others = [], []
        for name, weight in self.network.named_parameters():
            # the embedding is a look-up table, not a map: orthogonal steps do not suit it
            (matrices if name.startswith("blk") and weight.dim() == 2 else others).append(weight)
        self.optimisers = (Muon(matrices, lr=peak), torch.optim.AdamW(others, lr=peak, betas=(0.9, 0.98)))

    def learn_from(self, ids: torch.Tensor, targets: torch.Tensor) -> float:
        """One update; returns the loss before it."""
        self.network.zero_grad(set_to_none=True)
        loss = loss_of(self.network, ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate(self.step, self.steps, self.peak)
            optimiser.step()
        self.step += 1
        return loss.item()

    def save(self, path: Path) -> None:
        """Everything that going on needs."""
        states = [optimiser.state_dict() for optimiser in self.optimisers]
        torch.save({"network": self.network.state_dict(), "optimisers": states, "step": self.step}, path)

    def load(self, path: Path) -> None:
        """Take up where `save` left off."""
        saved = torch.load(path)
        self.network.load_state_dict(saved["network"])
        for optimiser, state in zip(self.optimisers, saved["optimisers"]):
            optimiser.load_state_dict(state)
        self.step = saved["step"]


def run(trainer: Trainer, tokenizer: Tokenizer, batch: int, seconds: float) -> bool:
    """Train to the last step; False if a signal or the time limit came first."""
    asked_to_stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.append(True))
    began, recent = time.monotonic(), []
    # a resumed run draws the batches that an unbroken one would have drawn
    for ids, targets in itertools.islice(batches(tokenizer, batch, SEED), trainer.step, trainer.steps):
        recent.append(trainer.learn_from(ids, targets))
        spent = time.monotonic() - began
        if trainer.step % 100 == 0:
            print(f"step {trainer.step}/{trainer.steps}  loss {sum(recent) / len(recent):.4f}  {spent:.0f} s", flush=True)
            recent.clear()
        if trainer.step % 500 == 0:
            trainer.save(CHECKPOINT)
            share = exact_match(trainer.network, tokenizer, "heldout", 100)
            print(f"  exact on 100 held-out notes: {share:.2f}", flush=True)
        if (asked_to_stop or spent > seconds) and trainer.step < trainer.steps:
            trainer.save(CHECKPOINT)
            return False
    return True


def main() -> int:
    """Command line; see the module text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--peak", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--minutes", type=float, default=30, help="save and stop after this long")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--out", type=Path, default=HERE / "triage.gguf")
    args = parser.parse_args()

    keep_freed_memory()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of additions, and so the result, depends on it
    torch.use_deterministic_algorithms(True)
    BUILD.mkdir(exist_ok=True)
    config = Config()
    tokenizer = vocabulary(config.vocab, SEED)
    if len(tokenizer) != config.vocab:
        sys.exit(f"the vocabulary has {len(tokenizer)} tokens, not {config.vocab}")
    tokenizer.save(BUILD / "pieces.json")
    trainer = Trainer(config, args.steps, args.peak)
    if args.resume and CHECKPOINT.exists():
        trainer.load(CHECKPOINT)
    print(f"{sum(p.numel() for p in trainer.network.parameters()):,} parameters", flush=True)

    if not run(trainer, tokenizer, args.batch, args.minutes * 60):
        print(f"stopped after step {trainer.step}, nothing exported; --resume goes on", flush=True)
        return 1
    export(args.out, trainer.network, tokenizer)
    print(f"wrote {args.out}", flush=True)
    for split in ("heldout", "combo"):
        print(f"exact on 500 notes of {split}: {exact_match(trainer.network, tokenizer, split, 500):.3f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
