import type { FastnessError } from '@fastness/codec/errors';

/**
 * One interface for every inference engine. An engine sees opened files in memory and plain requests; it knows nothing
 * about keys, evidence or HTTP.
 */
export type EngineName = 'llama' | 'onnx' | 'upstream';
export type EngineTask = 'generate' | 'embed' | 'classify';

export interface EngineInfo {
  readonly engine: EngineName;
  /** Version of the library, and what it says about itself (processor features, build). */
  readonly version: string;
  readonly task: EngineTask;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number;
  readonly parameters?: number;
  readonly threads: number;
  /** Length of an embedding, where the engine embeds. */
  readonly dimensions?: number;
  /** Names of the classes in the order of the model's output, where the engine classifies. */
  readonly labels?: readonly string[];
}

/** Limits that hold however a request is phrased. */
export interface EngineLimits {
  /** Requests that generate at the same time; each has a sequence of its own. */
  readonly sequences: number;
  /** Requests that wait for a sequence; more are refused with ENCLAVE_BUSY. */
  readonly queue: number;
  /** Tokens of context per sequence; the model's own where that is less. */
  readonly contextLength: number;
  /** Overrides the choice of threads that depends on the size of the model. */
  readonly threads?: number | undefined;
}

/** A call of a tool that a model asked for, in OpenAI's shape. */
export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

/** A part of tool calls as they come; parts with one `index` belong to one call. */
export interface ToolCallPart {
  readonly index: number;
  readonly id?: string;
  readonly type?: 'function';
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  /** Of the assistant, where it called tools. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of a tool: the call that it answers. */
  readonly toolCallId?: string;
}

/** What an engine can do beside text. */
export type EngineFeature = 'tools' | 'json';

/** What a request asks for beside text; members of OpenAI's requests, checked only in their outer shape. */
export interface ChatExtras {
  readonly tools?: readonly object[];
  readonly tool_choice?: string | object;
  readonly parallel_tool_calls?: boolean;
  readonly response_format?: object;
}

export interface GenerateOptions {
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  /** Generation ends before the first of these; they are not part of the text. */
  readonly stop: readonly string[];
  readonly signal: AbortSignal;
  /** Tokens gathered into one delta, so that neither sizes nor times of frames show single tokens. */
  readonly tokensPerDelta: number;
  /** Milliseconds after which a delta is handed on with fewer tokens. */
  readonly maxDelayMs: number;
  /** Only what `features` of the engine names. */
  readonly extras?: ChatExtras;
  /** Whom the queue counts it with. Absent: nobody. */
  readonly tenant?: string;
  /** Keeps what a server caches for tenants apart; made inside the enclave, of bounded length, and no client can choose it. */
  readonly salt?: string;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls';

/** Deltas in order; the last item says why generation ended. `tokens` counts what the item stands for. */
export type GenerationItem =
  | { readonly kind: 'delta'; readonly text: string; readonly tokens: number }
  | { readonly kind: 'calls'; readonly calls: readonly ToolCallPart[]; readonly tokens: number }
  /** What the model thought and no answer holds; it costs all the same. */
  | { readonly kind: 'unsaid'; readonly tokens: number }
  | {
      readonly kind: 'end';
      readonly finishReason: FinishReason;
      readonly promptTokens: number;
      readonly completionTokens: number;
    };

export interface Embedding {
  /** Of unit length. */
  readonly vector: Float32Array;
  readonly tokens: number;
}

export interface Classification {
  /** Sorted by falling score; the scores sum to 1. */
  readonly scores: readonly { readonly label: string; readonly score: number }[];
  readonly tokens: number;
}

export interface Engine {
  readonly info: EngineInfo;
  /** Absent: none. */
  readonly features?: ReadonlySet<EngineFeature>;
  /** Resolves when the engine broke down and will answer nothing any more. */
  readonly broken?: Promise<FastnessError>;
  /** Whether the engine goes on reading the files it was loaded from; they may be closed otherwise. */
  readonly usesFiles: boolean;
  /** Rejects with ENCLAVE_BUSY, ENCLAVE_CONTEXT_LENGTH; the iteration throws ENCLAVE_ENGINE_FAILED, or the signal's reason. */
  readonly chat?: (
    messages: readonly ChatMessage[],
    options: GenerateOptions,
  ) => Promise<AsyncIterable<GenerationItem>>;
  /** Continues `prompt` as it is. Fails like `chat`. */
  readonly complete?: (prompt: string, options: GenerateOptions) => Promise<AsyncIterable<GenerationItem>>;
  readonly embed?: (texts: readonly string[], signal: AbortSignal, tenant?: string) => Promise<Embedding[]>;
  readonly classify?: (texts: readonly string[], signal: AbortSignal, tenant?: string) => Promise<Classification[]>;
  /** Frees the model. Requests in flight fail. */
  readonly close: () => Promise<void>;
}

/** A file of a model as an engine sees it: a path to open, or bytes. Opened sealed files are such files. */
export interface ModelFile {
  readonly path: string;
  size(): number;
  read(): Uint8Array;
}

export interface EngineFiles {
  /** Files by their path in manifest.json. */
  readonly files: ReadonlyMap<string, ModelFile>;
  readonly task: EngineTask;
  readonly limits: EngineLimits;
}

/** An engine that is known to run on this machine and has no model yet. */
export interface EngineRuntime {
  readonly name: EngineName;
  readonly version: string;
  /** Throws MODEL_DOES_NOT_LOAD, ENCLAVE_MODEL_FILES, ENCLAVE_ENGINE_TASK. */
  load(options: EngineFiles): Promise<Engine>;
  close(): Promise<void>;
}
