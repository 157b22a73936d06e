"""The classifier: embeddings, three dilated convolutions, pooling, a two-layer head.

A bag of words cannot tell "chest pain" from "denies chest pain".  The
convolutions let each word see fourteen neighbours on either side, enough for a
negated list, and cost less than a layer of attention would.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TriageClassifier(nn.Module):
    """(input_ids, attention_mask) to (logits, sentence_embedding)."""

    def __init__(self, vocabulary: int, labels: int, width: int = 48, hidden: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, 5, padding=2 * step, dilation=step) for step in (1, 2, 4))
        self.hidden = nn.Linear(2 * width, hidden)
        self.output = nn.Linear(hidden, labels)
        nn.init.normal_(self.embedding.weight, std=0.3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        mask = attention_mask.unsqueeze(1).to(torch.float32)
        x = self.embedding(input_ids).transpose(1, 2) * mask
        for convolution in self.convolutions:
            # masked again each time: what is next to the text must not see padding
            x = (x + F.relu(convolution(x))) * mask
        # The level is the worst of all findings, which a maximum finds and a mean
        # blurs; the mean carries the rest.  Both leave the padding out.
        mean = x.sum(2) / mask.sum(2).clamp(min=1.0)
        peak = (x + (mask - 1.0) * 1e4).amax(2)
        pooled = torch.cat((mean, peak), 1)
        logits = self.output(F.relu(self.hidden(pooled)))
        norm = pooled.pow(2).sum(1, keepdim=True).clamp(min=1e-12).sqrt()
        return logits, pooled / norm
