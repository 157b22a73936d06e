#!/usr/bin/python3
"""Trains the triage model from nothing and writes triage.gguf.

    train.py                      the released model: about fifteen minutes on one core
    train.py --steps 50 --out build/short.gguf      a short run, to try things out

Data is generated on the fly, so no example is seen twice on purpose.  Ctrl-C
(or SIGTERM) finishes the step, saves a checkpoint and leaves; --resume goes on from it.
"""

import argparse
import ctypes
import itertools
import json
import math
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn import functional as F

from export import export
from generate import conversations, notes
from grammar import Note, system_prompt
from model import Config, Llama
from tokenizer import ASSISTANT, BOS, END, PAD, SYSTEM, USER, Tokenizer, learn

HERE = Path(__file__).parent
BUILD = HERE / "build"
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


def vocabulary(size: int) -> Tokenizer:
    """Learn the pieces from 6000 training notes and 600 system prompts."""
    rng = random.Random(SEED)
    texts = [text for n in itertools.islice(notes("train", SEED), 6000) for text in (n.text, n.answer)]
    return learn(texts + [system_prompt(rng) for _ in range(600)], size)


def encode(tokenizer: Tokenizer, system: str | None, turns: list[Note]) -> tuple[list[int], list[bool]]:
    """Ids of one chat, and which of them are the model's to predict."""
    ids = [BOS] + ([SYSTEM, *tokenizer.encode(system), END] if system else [])
    learnt = [False] * len(ids)
    for turn in turns:
        asked = [USER, *tokenizer.encode(turn.text), END, ASSISTANT]
        answered = [*tokenizer.encode(turn.answer), END]
        ids += asked + answered
        learnt += [False] * len(asked) + [True] * len(answered)
    return ids, learnt


def batches(tokenizer: Tokenizer, size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Padded batches (ids, targets), alike in length so that little is padding."""
    stream, rng = conversations("train", seed), random.Random(seed)
    while True:
        pool = sorted((encode(tokenizer, *next(stream)) for _ in range(size * 16)), key=lambda c: len(c[0]))
        rows = [pool[i:i + size] for i in range(0, len(pool), size)]
        rng.shuffle(rows)
        for row in rows:
            longest = max(len(ids) for ids, _ in row)
            ids = torch.full((size, longest), PAD)
            targets = torch.full((size, longest), -100)
            for i, (tokens, learnt) in enumerate(row):
                ids[i, :len(tokens)] = torch.tensor(tokens)
                wanted = [t if own else -100 for t, own in zip(tokens[1:], learnt[1:])]
                targets[i, :len(wanted)] = torch.tensor(wanted)
            yield ids, targets


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
    """Linear warm-up, then a cosine down to a fiftieth of the peak."""
    if step < 200:
        return peak * (step + 1) / 200
    return peak * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)


def main() -> int:
    """Command line; see the module text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--peak", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=16, help="save and stop after this long")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--out", type=Path, default=HERE / "triage.gguf")
    args = parser.parse_args()

    keep_freed_memory()
    torch.manual_seed(SEED)
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    BUILD.mkdir(exist_ok=True)
    config = Config()
    tokenizer = vocabulary(config.vocab)
    if len(tokenizer) != config.vocab:
        sys.exit(f"the vocabulary has {len(tokenizer)} tokens, not {config.vocab}")
    tokenizer.save(BUILD / "pieces.json")
    network = Llama(config)
    optimiser = torch.optim.AdamW(network.parameters(), lr=args.peak, betas=(0.9, 0.98), weight_decay=0.01)
    checkpoint, start = BUILD / "checkpoint.pt", 0
    if args.resume and checkpoint.exists():
        saved = torch.load(checkpoint)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        start = saved["step"]
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters, {args.threads} threads", flush=True)

    asked_to_stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.append(True))

    def save(step: int) -> None:
        torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, checkpoint)

    began, recent = time.monotonic(), []
    # a resumed run draws the batches that an unbroken one would have drawn
    stream = itertools.islice(batches(tokenizer, args.batch, SEED), start, args.steps)
    for step, (ids, targets) in enumerate(stream, start):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, args.steps, args.peak)
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(network, ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        recent.append(loss.item())
        spent = time.monotonic() - began
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}/{args.steps}  loss {sum(recent) / len(recent):.4f}  {spent:.0f} s", flush=True)
            recent.clear()
        if (step + 1) % 600 == 0:
            save(step + 1)
            print(f"  exact on 100 held-out notes: {exact_match(network, tokenizer, 'heldout', 100):.3f}", flush=True)
        if asked_to_stop or spent > args.minutes * 60:
            save(step + 1)
            print(f"stopped after step {step + 1}; --resume goes on", flush=True)
            break

    export(args.out, network, tokenizer)
    report = {split: exact_match(network, tokenizer, split, 500) for split in ("heldout", "combo")}
    report |= {"seconds": round(time.monotonic() - began), "torch": torch.__version__, "threads": args.threads}
    (BUILD / "training.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
