"""A minimal GGUF version 3 writer: metadata, then aligned tensor data.

Only what a small float16 model needs.  Layout: magic, version, counts, key and
value pairs, tensor descriptions (name, dimensions innermost first, type, offset
into the data part), padding to the alignment, then the tensors, each padded.
"""

import struct
from pathlib import Path

import numpy as np

ALIGNMENT = 32
_TYPES = {np.dtype("float32"): 0, np.dtype("float16"): 1}  # ggml type numbers


class U32(int):
    """An integer to store as an unsigned 32-bit value (a plain int is signed)."""


Value = U32 | int | float | bool | str | list


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Value) -> tuple[int, bytes]:
    """The GGUF type number of a value, and its bytes."""
    match value:
        case bool():  # before int: a bool is an int too
            return 7, struct.pack("<?", value)
        case U32():
            return 4, struct.pack("<I", value)
        case int():
            return 5, struct.pack("<i", value)
        case float():
            return 6, struct.pack("<f", value)
        case str():
            return 8, _text(value)
        case list():
            kinds = {_value(item)[0] for item in value}
            if len(kinds) != 1:
                raise ValueError("a GGUF array holds one type and is not empty")
            body = b"".join(_value(item)[1] for item in value)
            return 9, struct.pack("<IQ", kinds.pop(), len(value)) + body
    raise TypeError(f"no GGUF type for {type(value).__name__}")


def _pad(size: int) -> bytes:
    return b"\0" * (-size % ALIGNMENT)


def write_gguf(path: Path, metadata: dict[str, Value], tensors: dict[str, np.ndarray]) -> None:
    """Write one file; a partial file is never left under the final name."""
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        kind, body = _value(value)
        head += [_text(key), struct.pack("<I", kind), body]
    offset, data = 0, []
    for name, tensor in tensors.items():
        body = np.ascontiguousarray(tensor).tobytes()
        dims = tensor.shape[::-1]
        head += [_text(name), struct.pack(f"<I{len(dims)}Q", len(dims), *dims),
                 struct.pack("<IQ", _TYPES[tensor.dtype], offset)]
        data += [body, _pad(len(body))]
        offset += len(body) + len(_pad(len(body)))
    header = b"".join(head)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(header + _pad(len(header)) + b"".join(data))
    temporary.replace(path)
