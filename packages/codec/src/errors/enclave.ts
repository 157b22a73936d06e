import type { ErrorFacts } from './class.ts';

/** Codes of `enclave`: starting, memory, engines, leases and serving. */
export const enclaveErrors = Object.freeze({
  ENCLAVE_CONFIG: {
    class: 'usage',
    message: 'The configuration of the enclave is not valid.',
    next: 'Correct the field that the detail names; the README of apps/enclave lists them all.',
  },
  ENCLAVE_ENVIRONMENT: {
    class: 'denied',
    message: 'The environment of the enclave holds variables that could load code that nobody measured.',
    next: 'Start the enclave with an empty environment, as env -i does; PATH, HOME, LANG and TZ may be set.',
  },
  ENCLAVE_COMMAND_LINE: {
    class: 'denied',
    message: 'Node was started with an option under which the enclave does not run.',
    next: 'Start it as apps/enclave/README.md says, without the option that the detail names.',
  },
  ENCLAVE_CLOCK_SOURCE: {
    class: 'denied',
    message: 'The clock of this machine comes from its host, which could stop it and with it the end of a lease.',
    next: 'Use a machine with Secure TSC, or build the image with the waiver that apps/enclave/README.md describes.',
  },
  ENCLAVE_RELEASE_OLDER: {
    class: 'denied',
    message: 'The release is older than one that this enclave has opened.',
    next: 'Start it with the newest release of the model. Somebody offered an old one, whatever the broker says.',
  },
  ENCLAVE_BROKER_OLDER: {
    class: 'denied',
    message: 'The time of the broker is before what it was when it gave this enclave its last key.',
    next: 'Correct the clock of the broker, or find out whether an earlier copy of it answers.',
  },
  ENCLAVE_LOG_OLDER: {
    class: 'denied',
    message: 'The log of the broker is shorter than it was when it gave this enclave its last key.',
    next: 'An earlier copy of the broker answers: see docs/rollback.md, "After a refusal".',
  },
  ENCLAVE_WAIVER: {
    class: 'denied',
    message: 'The configuration waives a check, which on real hardware only the measured image can do.',
    next: 'Remove the waiver, or build the image with it as apps/enclave/README.md describes.',
  },
  ENCLAVE_SWAP_ACTIVE: {
    class: 'denied',
    message: 'Swap is active, so memory of the enclave could be written to disk.',
    next: 'Run swapoff -a, or add the waiver ENCLAVE_SWAP_ACTIVE with a reason to the configuration.',
  },
  ENCLAVE_HARDENING: {
    class: 'denied',
    message: 'A measure that protects the memory of the process did not take effect.',
    next: 'Look at the measure that the detail names; the kernel or a sandbox refused it.',
  },
  ENCLAVE_NO_MEMORY_FILE: {
    class: 'unavailable',
    message: 'There is no place in memory to open the model in.',
    next: 'Allow memfd_create(2), or set memory.tmpfsDir to a directory on a tmpfs.',
  },
  ENCLAVE_MEMORY_NOT_SEALED: {
    class: 'internal',
    message: 'The kernel did not seal the memory that holds the model.',
    next: 'Use Linux 3.17 or later; file seals are part of it.',
  },
  ENCLAVE_NOT_TMPFS: {
    class: 'denied',
    message: 'The directory for opened models is not on a tmpfs.',
    next: 'Point memory.tmpfsDir at a mounted tmpfs; plaintext is never written to another file system.',
  },
  ENCLAVE_ENGINE_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The inference engine that the model needs cannot run here.',
    next: 'Build the image with the engine that manifest.json names, for this processor.',
  },
  ENCLAVE_ENGINE_TASK: {
    class: 'invalid',
    message: 'The inference engine cannot do the task that manifest.json names.',
    next: 'Seal the model for a task of its engine: llama generates and embeds, onnx embeds and classifies, upstream does what its server does.',
  },
  ENCLAVE_ENGINE_FAILED: {
    class: 'internal',
    message: 'The inference engine failed while it worked on the request.',
    next: 'Try again; if it fails every time, the model and the engine do not fit together.',
  },
  ENCLAVE_UPSTREAM_PROGRAM: {
    class: 'denied',
    message: 'A file of the server that the model asks for is not the one that its owner signed.',
    next: 'Build the image with the files whose digests upstream.json states, or seal the model with the digests of yours.',
  },
  MODEL_DOES_NOT_LOAD: {
    class: 'invalid',
    message: 'The inference engine does not load this model.',
    next: 'Check the format of the model and the engine chosen for it; fastness seal gives the words of the engine.',
  },
  ENCLAVE_MODEL_FILES: {
    class: 'invalid',
    message: 'The sealed model does not hold the files that its engine needs.',
    next: 'Seal the model again: one .gguf file for llama; model.onnx, tokenizer.json and config.json for onnx.',
  },
  ENCLAVE_BROKER_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The broker cannot be reached, so the model stays closed.',
    next: 'Start the broker or correct brokerUrl; the enclave keeps trying.',
  },
  ENCLAVE_BROKER_ANSWER: {
    class: 'invalid',
    message: 'The answer of the broker is malformed.',
    next: 'Check that brokerUrl names a Fastness broker of this version and that nothing rewrites its answers.',
  },
  ENCLAVE_LEASE_LOST: {
    class: 'unavailable',
    message: 'The lease ran out or was taken back, so the enclave stopped answering.',
    next: 'Look at the log of the broker: it was unreachable, or the release or the platform was revoked.',
  },
  ENCLAVE_NOT_SERVING: {
    class: 'unavailable',
    message: 'The enclave has not opened its model yet.',
    next: 'Ask GET /health for the state, and try again when it says serving.',
  },
  ENCLAVE_LISTEN: {
    class: 'unavailable',
    message: 'The enclave could not listen on its address.',
    next: 'Choose a free port and an address of this machine.',
  },
  ENCLAVE_API_KEY: {
    class: 'unauthorized',
    message: 'The request has no API key that the owner of the model made, or one that was withdrawn.',
    next: 'Send the key that you were given as "Authorization: Bearer"; it travels inside the channel.',
  },
  ENCLAVE_TENANT_REQUESTS: {
    class: 'limit',
    message: 'The key has used up its requests for this minute.',
    next: 'Wait as many seconds as retry-after says, or ask the owner of the model for a higher limit.',
  },
  ENCLAVE_TENANT_TOKENS: {
    class: 'limit',
    message: 'The key has used up its tokens for today.',
    next: 'Wait as many seconds as retry-after says, or ask the owner of the model for a higher limit.',
  },
  ENCLAVE_TENANT_CONCURRENT: {
    class: 'limit',
    message: 'The key has as many requests in progress as it may.',
    next: 'Wait for one of them to end, or ask the owner of the model for a higher limit.',
  },
  ENCLAVE_ACCESS_MISSING: {
    class: 'unavailable',
    message: 'The release lets only tenants use the model, and access.json, which lists them, cannot be read.',
    next: 'Put the access.json of the owner beside the sealed model: `fastness tenants sign` writes it.',
  },
  ENCLAVE_ACCESS_EXPIRED: {
    class: 'unavailable',
    message: 'The list of tenants has expired, so nobody may use the model.',
    next: 'Have the owner sign it again with `fastness tenants sign`; the enclave reads it when its lease is renewed.',
  },
  ENCLAVE_BUSY: {
    class: 'limit',
    message: 'The enclave is working on as many requests as it can hold.',
    next: 'Try again in a moment, or add an enclave.',
  },
  ENCLAVE_TIME_LIMIT: {
    class: 'limit',
    message: 'The request took longer than the enclave allows.',
    next: 'Ask for a shorter answer, and read answers as they come.',
  },
  ENCLAVE_CONTEXT_LENGTH: {
    class: 'usage',
    message: 'The prompt is longer than the context of the model.',
    next: 'Send a shorter prompt.',
  },
  ENCLAVE_REQUEST: {
    class: 'usage',
    message: 'The request is not one that the enclave accepts.',
    next: 'Correct what the detail names.',
  },
  ENCLAVE_TOO_LARGE: {
    class: 'usage',
    message: 'The request is larger than the enclave accepts.',
    next: 'Send less at once; the detail says how much is accepted.',
  },
  ENCLAVE_TLS_ABSENT: {
    class: 'usage',
    message: 'Evidence bound to the TLS connection was asked for where no TLS ends in the enclave.',
    next: 'Connect to the address of the enclave that its configuration has under tls, without a relay.',
  },
  ENCLAVE_ROUTE: {
    class: 'usage',
    message: 'The enclave has no such path.',
    next: 'Use POST /attestation, POST /ohttp or GET /health; the API of the model is inside the channel.',
  },
  ENCLAVE_MODEL_UNKNOWN: {
    class: 'usage',
    message: 'The enclave does not serve that model.',
    next: 'Ask for the one that GET /v1/models names.',
  },
  ENCLAVE_ENDPOINT: {
    class: 'usage',
    message: 'The API of the model has no such endpoint.',
    next: 'Use GET /v1/models, or POST /v1/chat/completions, /v1/completions, /v1/embeddings or /v1/classifications.',
  },
  ENCLAVE_CAPABILITY: {
    class: 'usage',
    message: 'The model that is being served cannot do this.',
    next: 'Ask /v1/models what the model does, and use that.',
  },
  ENCLAVE_UNFORESEEN: {
    class: 'internal',
    message: 'The enclave failed in a way it did not foresee.',
    next: 'Report this with the log of the enclave.',
  },
} as const satisfies Record<string, ErrorFacts>);
