"""Turns generated notes into what the trainer eats: a vocabulary and padded batches."""

import itertools
import random
from collections.abc import Iterator

import torch

from generate import conversations, notes
from grammar import Note, system_prompt
from tokenizer import ASSISTANT, BOS, END, PAD, SYSTEM, USER, Tokenizer, learn


def vocabulary(size: int, seed: int) -> Tokenizer:
    """Learn the pieces from 6000 training notes and 600 system prompts."""
    rng = random.Random(seed)
    texts = [text for n in itertools.islice(notes("train", seed), 6000) for text in (n.text, n.answer)]
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
