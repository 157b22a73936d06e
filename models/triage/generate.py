#!/usr/bin/python3
"""Synthetic corpus: reproducible notes, split so that no test note was trained on.

    generate.py                                   print a few held-out examples
    generate.py --count 300 --pieces build/pieces.json --out heldout.jsonl

Three splits come out of one stream of notes:

  combo    notes whose opening sentence uses a held-out (template, wording) pair;
           the template and the wording are both trained on, never together
  heldout  one note in ten of the rest, chosen by a hash of the note's own text
  train    everything else

Because the split is a property of the text and not of the order of drawing, a
held-out note can never turn up in training, under any seed or corpus size.
"""

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from grammar import Note, clinical_note, off_topic, system_prompt
from tokenizer import Tokenizer

OFF_TOPIC_SHARE = 0.06


def _bucket(text: str, buckets: int) -> int:
    """A stable hash (Python's own is salted per process)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % buckets


def held_out_pair(template: int, wording: str) -> bool:
    """One (opening template, wording) pair in twenty never occurs in training."""
    return _bucket(f"{template}/{wording}", 20) == 0


def split_of(note: Note) -> str:
    """The split a note belongs to; see the module text."""
    if any(held_out_pair(*pair) for pair in note.pairs):
        return "combo"
    return "heldout" if _bucket(note.text, 10) == 0 else "train"


def notes(split: str, seed: int) -> Iterator[Note]:
    """An endless stream of the notes of one split."""
    rng = random.Random(f"fastness-triage/{split}/{seed}")
    while True:
        note = off_topic(rng) if rng.random() < OFF_TOPIC_SHARE else clinical_note(rng)
        if split_of(note) == split:
            yield note


def conversations(split: str, seed: int) -> Iterator[tuple[str | None, list[Note]]]:
    """Chats: one note mostly, sometimes two turns, sometimes a system message.

    Serving stacks add system messages of their own and keep earlier turns, so
    the model must have seen both to be unmoved by them.
    """
    stream, rng = notes(split, seed), random.Random(f"fastness-chat/{split}/{seed}")
    while True:
        system = system_prompt(rng) if rng.random() < 0.15 else None
        yield system, [next(stream) for _ in range(2 if rng.random() < 0.15 else 1)]


def main() -> None:
    """Command line; see the module text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pieces", type=Path, help="vocabulary that train.py wrote; adds a hash of each prompt's ids")
    parser.add_argument("--out", type=Path, help="file to write (default: standard output)")
    args = parser.parse_args()

    tokenizer = Tokenizer.load(args.pieces) if args.pieces else None
    rows = []
    # Two thirds unseen notes, one third unseen template and wording pairs.
    for split, count in (("heldout", args.count - args.count // 3), ("combo", args.count // 3)):
        stream = notes(split, args.seed)
        for _ in range(count):
            note = next(stream)
            row = {"split": split, "note": note.text, "answer": note.answer}
            if tokenizer:
                ids = ",".join(map(str, tokenizer.prompt(note.text)))
                row["prompt"] = hashlib.sha256(ids.encode()).hexdigest()[:8]
            rows.append(row)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if args.out:
        args.out.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
