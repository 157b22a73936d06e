"""WordPiece vocabulary and encoder, and its tokenizer.json.

The encoder does for ASCII text what the Hugging Face pipeline in the written
tokenizer.json does (BertNormalizer, BertPreTokenizer, WordPiece), so a text has
the same ids in training and in serving; `evaluate.mjs` checks that on real rows.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

PAD, UNK = 0, 1
_SPECIAL = ("[PAD]", "[UNK]")
_WORD = re.compile(r"[a-z0-9]+|[^a-z0-9\s]")  # words, and punctuation one by one
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_MAX_CHARS = 40


def words(text: str) -> list[str]:
    """Lower-cased words and punctuation marks."""
    return _WORD.findall(text.lower())


class WordPiece:
    """Greedy longest-match pieces; a continuation piece starts with ##."""

    def __init__(self, vocabulary: list[str]) -> None:
        self.vocabulary = vocabulary
        self.ids = {piece: i for i, piece in enumerate(vocabulary)}

    @classmethod
    def learn(cls, texts: Iterable[str], at_least: int = 20) -> "WordPiece":
        """Whole words seen often enough, all small numbers, and single characters.

        Numbers up to 199 are pieces of their own, because vital signs decide
        the level; "72f" then splits into "72" and "##f".
        """
        counts = Counter(word for text in texts for word in words(text))
        whole = sorted(w for w, n in counts.items() if n >= at_least and not any(c.isdigit() for c in w))
        pieces = [*_SPECIAL, *map(str, range(200)), *_LETTERS, *("##" + c for c in _LETTERS), "##mo", *whole]
        return cls(list(dict.fromkeys(pieces)))

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        ids: list[int] = []
        for word in words(text):
            ids += self._word(word)
        return ids

    def _word(self, word: str) -> list[int]:
        if len(word) > _MAX_CHARS:
            return [UNK]
        found, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = self.ids.get(prefix + word[start:end])
                if piece is not None:
                    break
            else:
                return [UNK]
            found.append(piece)
            start = end
        return found

    def save(self, path: Path, longest: int) -> None:
        """Write tokenizer.json in the Hugging Face tokenizers format."""
        special = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                    "normalized": False, "special": True} for i, token in enumerate(_SPECIAL)]
        path.write_text(json.dumps({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": longest, "strategy": "LongestFirst", "stride": 0},
            "padding": None,
            "added_tokens": special,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                           "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": None,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": _MAX_CHARS, "vocab": self.ids},
        }, indent=1) + "\n")
