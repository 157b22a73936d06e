import type { ErrorFacts } from './class.ts';

/** Codes of sealed files (C2SP FLOE), sealing, manifests and model formats; part of the area `model`. */
export const sealErrors = Object.freeze({
  FLOE_KEY_LENGTH: {
    class: 'usage',
    message: 'A FLOE key has exactly 32 bytes.',
    next: 'Pass the 32-byte file key, not a wrapped key or a passphrase.',
  },
  FLOE_SEGMENT_SIZE: {
    class: 'usage',
    message: 'The segment size is outside what FLOE allows here.',
    next: 'Choose a whole number of bytes from 33 to 16777216; 1048576 suits model weights.',
  },
  FLOE_SEGMENT_RANGE: {
    class: 'usage',
    message: 'The sealed file has no such segment, or the data does not fit one.',
    next: 'Ask for a segment from 0 to the number of segments less one; all but the last are full.',
  },
  FLOE_PARAMETERS: {
    class: 'not-mine',
    message: 'The header does not name the FLOE parameters that are read here.',
    next: 'Check that the file is sealed with AES-256-GCM, HKDF-SHA384, a 32-byte IV and the expected segment size.',
  },
  FLOE_HEADER_TAG: {
    class: 'invalid',
    message: 'The header of the sealed file does not verify.',
    next: 'The key is another file’s, the file is another model’s, or the header was changed; fetch the file again.',
  },
  FLOE_SEGMENT_LENGTH: {
    class: 'invalid',
    message: 'A segment of the sealed file states a length that no segment can have.',
    next: 'Fetch the file again; it is damaged or was tampered with.',
  },
  FLOE_SEGMENT_TAG: {
    class: 'invalid',
    message: 'A segment of the sealed file does not verify.',
    next: 'Fetch the file again; it is damaged, out of order or was tampered with.',
  },
  FLOE_TRUNCATED: {
    class: 'invalid',
    message: 'The sealed file ends before its last segment does.',
    next: 'Fetch the file again; it was cut short.',
  },
  FLOE_TRAILING: {
    class: 'invalid',
    message: 'Bytes follow the last segment of the sealed file.',
    next: 'Fetch the file again; something was appended to it.',
  },
  SEAL_MODEL_ID: {
    class: 'usage',
    message: 'The model id is not well formed.',
    next: 'Use 1 to 128 characters of letters, digits and . _ : / -, beginning with a letter or digit.',
  },
  SEAL_SOURCE_NOT_FOUND: {
    class: 'usage',
    message: 'There is no model at this path.',
    next: 'Check the path.',
  },
  SEAL_SOURCE_EMPTY: {
    class: 'usage',
    message: 'The model folder holds no file.',
    next: 'Give a model file, or a folder that holds one.',
  },
  SEAL_SOURCE_SYMLINK: {
    class: 'usage',
    message: 'The model contains or is reached by a symbolic link.',
    next: 'Replace the link by a copy (for example `cp -rL`), so that what is sealed is what you see.',
  },
  SEAL_SOURCE_SPECIAL: {
    class: 'usage',
    message: 'The model contains something that is neither a file nor a folder.',
    next: 'Remove the pipe, socket or device from the folder.',
  },
  SEAL_SOURCE_NAME: {
    class: 'usage',
    message: 'A file of the model has a name that cannot be sealed.',
    next: 'Use printable Unicode names without backslash; leave out .git and .github, which signatures ignore.',
  },
  SEAL_SOURCE_LIMIT: {
    class: 'limit',
    message: 'The model has more files or deeper folders than can be sealed.',
    next: 'Seal at most 10000 files, at most 32 folders deep.',
  },
  SEAL_SOURCE_CHANGED: {
    class: 'conflict',
    message: 'A file of the model changed while it was being sealed.',
    next: 'Let nothing write to the model, and seal it again.',
  },
  SEAL_TARGET_INVALID: {
    class: 'usage',
    message: 'The target cannot hold a sealed model.',
    next: 'Choose a path in an existing folder, outside the source, with a last part of 1 to 120 characters.',
  },
  SEAL_TARGET_FOREIGN: {
    class: 'conflict',
    message: 'The target exists and is not a sealed model.',
    next: 'Choose another target; only a sealed model is ever replaced.',
  },
  SEAL_TARGET_SIGNED: {
    class: 'conflict',
    message: 'The target holds a sealed model with a signed release.',
    next: 'Seal to another target, or ask for replacement, which deletes the old ciphertext, signature and approvals.',
  },
  SEAL_TARGET_BUSY: {
    class: 'conflict',
    message: 'Another process is replacing the same sealed model.',
    next: 'Wait for it, then seal again.',
  },
  SEAL_CANCELLED: {
    class: 'unavailable',
    message: 'The operation was cancelled before it was complete.',
    next: 'Start it again; nothing half-done was kept.',
  },
  SEAL_THREADS: {
    class: 'usage',
    message: 'The number of threads is not one that can be used.',
    next: 'Choose a whole number from 1 to 64, or leave it out.',
  },
  SEAL_WORKER: {
    class: 'internal',
    message: 'A worker thread stopped unexpectedly.',
    next: 'Try again; if it happens again, try with one thread and report it.',
  },
  SEAL_IO: {
    class: 'unavailable',
    message: 'A file could not be read or written.',
    next: 'Check the free space, the path and its permissions.',
  },
  MANIFEST_MALFORMED: {
    class: 'invalid',
    message: 'manifest.json is not a well-formed manifest.',
    next: 'Fetch the sealed model again; its manifest is damaged.',
  },
  MANIFEST_PATH: {
    class: 'invalid',
    message: 'The manifest names a file by a path that could lead outside the model.',
    next: 'Refuse the model; a manifest written by Fastness has no such path.',
  },
  MANIFEST_DUPLICATE: {
    class: 'invalid',
    message: 'The manifest lists the same file twice.',
    next: 'Refuse the model; a manifest written by Fastness lists each file once, in order.',
  },
  MANIFEST_SIZE: {
    class: 'invalid',
    message: 'The manifest states a sealed size that does not follow from the size.',
    next: 'Refuse the model; its manifest contradicts itself.',
  },
  MODEL_NOT_SEALED: {
    class: 'not-mine',
    message: 'There is no sealed model at this path.',
    next: 'Check the path: a sealed model is a folder with manifest.json, keys.json and files.',
  },
  MODEL_FILE_MISSING: {
    class: 'invalid',
    message: 'A file of the sealed model is missing, or is no regular file.',
    next: 'Fetch the sealed model again; it is incomplete.',
  },
  MODEL_KEYS_MALFORMED: {
    class: 'invalid',
    message: 'keys.json is not a well-formed list of wrapped keys.',
    next: 'Fetch keys.json again from the owner of the model.',
  },
  MODEL_FILE_UNKNOWN: {
    class: 'usage',
    message: 'The sealed model has no such file.',
    next: 'Ask for one of the paths that the manifest lists.',
  },
  MODEL_ROOT_KEY: {
    class: 'usage',
    message: 'A root key has exactly 32 bytes.',
    next: 'Pass the unwrapped root key of the sealed model.',
  },
  MODEL_FORMAT_UNKNOWN: {
    class: 'not-mine',
    message: 'This is not a model that Fastness can serve.',
    next: 'Give a GGUF file, a folder with one GGUF model, or a folder with model.onnx, tokenizer.json and config.json.',
  },
  MODEL_UPSTREAM: {
    class: 'invalid',
    message: 'upstream.json does not say how a server serves this model.',
    next: 'Correct the member that the detail names; docs/engines.md describes them all.',
  },
  MODEL_FORMAT_AMBIGUOUS: {
    class: 'usage',
    message: 'The folder holds more than one model.',
    next: 'Give a folder that holds one model, or the GGUF file itself.',
  },
  MODEL_TASK_UNKNOWN: {
    class: 'not-mine',
    message: 'The model is for a task that Fastness does not serve.',
    next: 'Use a model that generates text, embeds text or classifies text.',
  },
  MODEL_GGUF_MALFORMED: {
    class: 'invalid',
    message: 'The GGUF file does not follow its format.',
    next: 'Fetch the model again, or convert it again with a current converter.',
  },
  MODEL_GGUF_VERSION: {
    class: 'not-mine',
    message: 'The GGUF file is of a version or byte order that is not read here.',
    next: 'Convert the model to little-endian GGUF version 3.',
  },
  MODEL_GGUF_TRUNCATED: {
    class: 'invalid',
    message: 'The GGUF file is shorter than its tensors say.',
    next: 'Fetch the model again; the download was cut short.',
  },
  MODEL_GGUF_ARCHITECTURE: {
    class: 'not-mine',
    message: 'The GGUF file names no architecture, or carries no tensor.',
    next: 'Use a model file; vocabulary-only and adapter files cannot be served.',
  },
  MODEL_GGUF_TOKENIZER: {
    class: 'not-mine',
    message: 'The GGUF file carries no tokenizer.',
    next: 'Convert the model with its tokenizer included.',
  },
  MODEL_GGUF_TENSOR_TYPE: {
    class: 'not-mine',
    message: 'The GGUF file has a tensor of a type that is not known here.',
    next: 'Quantise the model to a current type, for example Q4_K_M or Q8_0.',
  },
  MODEL_GGUF_SPLIT: {
    class: 'invalid',
    message: 'A part of the split GGUF model is missing or does not belong to it.',
    next: 'Put all parts, name-00001-of-0000N.gguf and on, in one folder and give the folder.',
  },
  MODEL_ONNX_MALFORMED: {
    class: 'invalid',
    message: 'model.onnx does not follow its format.',
    next: 'Export the model again.',
  },
  MODEL_ONNX_TRUNCATED: {
    class: 'invalid',
    message: 'model.onnx is shorter than it says.',
    next: 'Fetch the model again; the download was cut short.',
  },
  MODEL_ONNX_EXTERNAL_DATA: {
    class: 'not-mine',
    message: 'The weights lie beside model.onnx instead of in it.',
    next: 'Export the model again as one file (ONNX external data are not served).',
  },
  MODEL_ONNX_CONFIG: {
    class: 'invalid',
    message: 'config.json or tokenizer.json does not describe the model.',
    next: 'Use the config.json and tokenizer.json that the model was exported with.',
  },
} as const satisfies Record<string, ErrorFacts>);
