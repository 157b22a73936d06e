#!/usr/bin/python3
"""Trains the triage-level classifier and writes the model folder's files.

    train.py                 the released model: a few minutes on one core
    train.py --steps 100 --out /tmp/try      a short run, to try things out

Written: model.onnx, tokenizer.json, config.json, and training.json with what was measured.
The notes come from ../triage/generate.py, with the same train and held-out splits.
"""

import argparse
import hashlib
import itertools
import json
import os
import random
import sys
import time
import warnings
from pathlib import Path

# OpenBLAS reads this once, when torch loads it; its idle threads spin otherwise.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "triage"))

from generate import notes  # noqa: E402  (needs the path above)
from grammar import Note  # noqa: E402
from network import TriageClassifier  # noqa: E402
from wordpiece import PAD, WordPiece  # noqa: E402

SEED = 20240608
LABELS = ("not-a-note", "level-1", "level-2", "level-3", "level-4", "level-5")
LONGEST = 256


def tensors(tokenizer: WordPiece, batch: list[Note]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Padded ids, their mask, and the levels."""
    rows = [tokenizer.encode(note.text)[:LONGEST] for note in batch]
    ids = torch.full((len(rows), max(map(len, rows))), PAD)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
        mask[i, :len(row)] = 1
    return ids, mask, torch.tensor([note.level for note in batch])


@torch.no_grad()
def accuracy(network: TriageClassifier, tokenizer: WordPiece, split: str, count: int) -> float:
    """Share of notes of a split whose level is predicted right."""
    stream, right = notes(split, SEED), 0
    for _ in range(0, count, 100):
        ids, mask, levels = tensors(tokenizer, list(itertools.islice(stream, 100)))
        right += int((network(ids, mask)[0].argmax(1) == levels).sum())
    return right / count


def export(network: TriageClassifier, tokenizer: WordPiece, out: Path) -> None:
    """Write the three files of the model folder."""
    example = torch.ones((2, 8), dtype=torch.int64)
    # shape-inference notices of the exporter; evaluate.mjs runs the real graph
    warnings.filterwarnings("ignore", module="torch.onnx")
    torch.onnx.export(
        network, (example, example), str(out / "model.onnx"), opset_version=13,
        input_names=["input_ids", "attention_mask"], output_names=["logits", "sentence_embedding"],
        dynamic_axes={"input_ids": {0: "batch", 1: "length"}, "attention_mask": {0: "batch", 1: "length"},
                      "logits": {0: "batch"}, "sentence_embedding": {0: "batch"}})
    tokenizer.save(out / "tokenizer.json", LONGEST)
    (out / "config.json").write_text(json.dumps({
        "architectures": ["ConvTextForSequenceClassification"],
        "model_type": "conv-text",
        "vocab_size": len(tokenizer.vocabulary),
        "hidden_size": network.embedding.embedding_dim,
        "sentence_embedding_size": network.hidden.in_features,
        "max_position_embeddings": LONGEST,
        "pad_token_id": PAD,
        "num_labels": len(LABELS),
        "problem_type": "single_label_classification",
        "id2label": {str(i): label for i, label in enumerate(LABELS)},
        "label2id": {label: i for i, label in enumerate(LABELS)},
    }, indent=2) + "\n")


def ids_hash(tokenizer: WordPiece) -> str:
    """Hash of the ids of the committed held-out notes; evaluate.mjs computes it too."""
    rows = map(json.loads, (HERE.parent / "triage" / "heldout.jsonl").read_text().splitlines())
    lines = (",".join(map(str, tokenizer.encode(row["note"])[:LONGEST])) + "\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def main() -> None:
    """Command line; see the module text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--peak", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--out", type=Path, default=HERE)
    args = parser.parse_args()

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = WordPiece.learn(note.text for note in itertools.islice(notes("train", SEED), 8000))
    network = TriageClassifier(len(tokenizer.vocabulary), len(LABELS))
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters", flush=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=args.peak, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.peak, total_steps=args.steps, pct_start=0.1)

    stream, rng, began, recent = notes("train", SEED), random.Random(SEED), time.monotonic(), []
    pending: list[list[Note]] = []
    for step in range(args.steps):
        if not pending:
            # like lengths together, so that little of a batch is padding
            pool = sorted(itertools.islice(stream, args.batch * 16), key=lambda note: len(note.text))
            pending = [pool[i:i + args.batch] for i in range(0, len(pool), args.batch)]
            rng.shuffle(pending)
        ids, mask, levels = tensors(tokenizer, pending.pop())
        optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network(ids, mask)[0], levels)
        loss.backward()
        optimiser.step()
        schedule.step()
        recent.append(loss.item())
        if (step + 1) % 200 == 0:
            print(f"step {step + 1}/{args.steps}  loss {sum(recent) / len(recent):.4f}  "
                  f"{time.monotonic() - began:.0f} s", flush=True)
            recent.clear()
    network.eval()
    export(network, tokenizer, args.out)
    report = {split: accuracy(network, tokenizer, split, 3000) for split in ("heldout", "combo")}
    report |= {"notes_each": 3000, "steps": args.steps, "seconds": round(time.monotonic() - began),
               "torch": torch.__version__, "heldout_ids_sha256": ids_hash(tokenizer)}
    (args.out / "training.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
