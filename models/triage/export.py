"""Writes the trained network and its vocabulary as one float16 GGUF file."""

from pathlib import Path

import numpy as np

from gguf import U32, Value, write_gguf
from model import Config, Llama
from tokenizer import BOS, END, PAD, UNK, Tokenizer

# Rendered by the serving side.  No white space stands between a control token
# and the text, so tokenising the parts or the whole gives the same ids.  An empty
# system message renders as nothing: an empty segment never occurs in training.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' and message['content'] %}"
    "{{ '<|system|>' + message['content'] + '<|end|>' }}"
    "{% elif message['role'] == 'user' %}{{ '<|user|>' + message['content'] + '<|end|>' }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + '<|end|>' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def _metadata(config: Config, tokenizer: Tokenizer) -> dict[str, Value]:
    tokens, scores, types = tokenizer.gguf_vocabulary()
    return {
        "general.architecture": "llama",
        "general.name": "Fastness Triage",
        "general.basename": "fastness-triage",
        "general.description": "Template learner: synthetic clinical-style note to a structured line. Not a medical device.",
        "general.license": "apache-2.0",
        "general.languages": ["en"],
        "general.alignment": U32(32),
        "general.file_type": U32(1),  # mostly float16
        "llama.vocab_size": U32(config.vocab),
        "llama.context_length": U32(config.context),
        "llama.embedding_length": U32(config.width),
        "llama.block_count": U32(config.layers),
        "llama.feed_forward_length": U32(config.hidden),
        "llama.attention.head_count": U32(config.heads),
        "llama.attention.head_count_kv": U32(config.heads),
        "llama.attention.layer_norm_rms_epsilon": config.eps,
        "llama.rope.dimension_count": U32(config.head_width),
        "llama.rope.freq_base": config.rope_base,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": U32(BOS),
        "tokenizer.ggml.eos_token_id": U32(END),
        "tokenizer.ggml.eot_token_id": U32(END),
        "tokenizer.ggml.unknown_token_id": U32(UNK),
        "tokenizer.ggml.padding_token_id": U32(PAD),
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        # a space put before the text would change the first word's id
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def export(path: Path, network: Llama, tokenizer: Tokenizer) -> None:
    """Matrices as float16, the one-dimensional gains as float32."""
    tensors = {}
    for name, weight in network.state_dict().items():
        array = weight.detach().numpy()
        tensors[name] = array.astype(np.float16 if array.ndim == 2 else np.float32)
    write_gguf(path, _metadata(network.config, tokenizer), tensors)
