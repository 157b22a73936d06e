"""A small byte-fallback BPE vocabulary, encoded exactly as llama.cpp's "llama" type.

llama.cpp's SentencePiece-style encoder starts from single characters and keeps
joining the neighbouring pair whose joined text is the best-scored vocabulary
entry, leftmost first on a tie; what is left without an entry becomes byte
tokens.  `Tokenizer.encode` does the same, so the ids seen in training are the
ids seen in serving.  (`evaluate.mjs` checks that they are, note by note.)

Merges never cross the chunks of `_CHUNK` (a word, one digit, one other
character), so encoding chunk by chunk gives what encoding the whole text would.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SPACE = "\u2581"  # SentencePiece's visible space
# Control tokens, at fixed ids.  END closes every message and ends generation.
UNK, BOS, EOS, PAD, SYSTEM, USER, ASSISTANT, END = range(8)
CONTROL = ("<unk>", "<s>", "</s>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
_BYTES = [f"<0x{b:02X}>" for b in range(256)]
_FIRST_BYTE = len(CONTROL)
# Digits stay single, with or without a space before: numbers are read by digit.
_CHUNK = re.compile(SPACE + r"?[A-Za-z'-]+|" + SPACE + r"?\d|" + SPACE + r"?[^A-Za-z'\d" + SPACE + r"-]|" + SPACE)


def _chunks(text: str) -> list[str]:
    # [^...] also matches newlines, so no character is skipped
    return _CHUNK.findall(text.replace(" ", SPACE))


class Tokenizer:
    """Pieces after the control and byte tokens; earlier pieces merge first."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces
        self.tokens = [*CONTROL, *_BYTES, *pieces]
        self.ids = {piece: i + _FIRST_BYTE + 256 for i, piece in enumerate(pieces)}
        self._cache: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def _encode_chunk(self, chunk: str) -> list[int]:
        parts = list(chunk)
        while len(parts) > 1:
            # a lower id is a better score; min() takes the leftmost of equals
            best = min(range(len(parts) - 1),
                       key=lambda i: self.ids.get(parts[i] + parts[i + 1], len(self.tokens)))
            joined = parts[best] + parts[best + 1]
            if joined not in self.ids:
                break
            parts[best:best + 2] = [joined]
        ids: list[int] = []
        for part in parts:
            known = self.ids.get(part)
            ids += [known] if known is not None else [_FIRST_BYTE + b for b in part.encode()]
        return ids

    def encode(self, text: str) -> list[int]:
        """Plain text to ids; control tokens in the text are not recognised."""
        ids: list[int] = []
        for chunk in _chunks(text):
            found = self._cache.get(chunk)
            if found is None:
                found = self._cache[chunk] = self._encode_chunk(chunk)
            ids += found
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids to text; control tokens are left out."""
        out = b""
        for i in ids:
            if i >= _FIRST_BYTE + 256:
                out += self.tokens[i].replace(SPACE, " ").encode()
            elif i >= _FIRST_BYTE:
                out += bytes([i - _FIRST_BYTE])
        return out.decode(errors="replace")

    def prompt(self, note: str) -> list[int]:
        """The ids that a one-message chat renders to, up to where the answer begins."""
        return [BOS, USER, *self.encode(note), END, ASSISTANT]

    def gguf_vocabulary(self) -> tuple[list[str], list[float], list[int]]:
        """Token texts, scores and types (2 unknown, 3 control, 6 byte, 1 normal)."""
        scores = [0.0] * (_FIRST_BYTE + 256) + [-float(i + 1) for i in range(len(self.pieces))]
        types = [2] + [3] * (len(CONTROL) - 1) + [6] * 256 + [1] * len(self.pieces)
        return self.tokens, scores, types

    def save(self, path: Path) -> None:
        """Write the pieces as JSON, in merge order."""
        path.write_text(json.dumps(self.pieces, ensure_ascii=True) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote."""
        return cls(json.loads(path.read_text()))


def learn(texts: Iterable[str], size: int) -> Tokenizer:
    """Byte-pair encoding over `texts`, to a vocabulary of exactly `size` tokens."""
    counts = Counter(chunk for text in texts for chunk in _chunks(text))
    words = [(list(chunk), n) for chunk, n in sorted(counts.items())]
    # Two-character pieces of space and digit or letter come from merging, so
    # every printable character must be there; others fall back to bytes.
    single = [chr(c) for c in range(33, 127)] + [SPACE]
    merged: list[str] = []
    while _FIRST_BYTE + 256 + len(merged) + len(single) < size:
        pairs: Counter[str] = Counter()
        for parts, n in words:
            for left, right in zip(parts, parts[1:]):
                pairs[left + "\0" + right] += n
        if not pairs:
            break
        # most frequent, then alphabetical: the same corpus gives the same pieces
        pair = min(pairs, key=lambda p: (-pairs[p], p))
        left, right = pair.split("\0")
        merged.append(left + right)
        for parts, _ in words:
            i = 0
            while i < len(parts) - 1:
                if parts[i] == left and parts[i + 1] == right:
                    parts[i:i + 2] = [left + right]
                i += 1
    # A merge whose text was already learnt from another pair is not repeated.
    return Tokenizer([*dict.fromkeys(merged), *single])
