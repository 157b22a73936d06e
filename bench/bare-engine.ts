import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp';

/** llama.cpp in this process, with nothing of ours around it. */
export interface BareEngine {
  /** Greedy, one prompt after the other. */
  tokensPerSecond(prompts: readonly string[], maxTokens: number): Promise<number>;
  close(): Promise<void>;
}

export async function bareEngine(modelPath: string): Promise<BareEngine> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.disabled,
    maxThreads: 0,
  });
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  // As the enclave sets it up for a model this small.
  const context = await model.createContext({
    sequences: 1,
    contextSize: model.trainContextSize,
    threads: 1,
    flashAttention: false,
  });
  const sequence = context.getSequence();
  const generate = async (prompt: string, maxTokens: number): Promise<number> => {
    const { bos, shouldPrependBosToken } = model.tokens;
    const tokens = model.tokenize(prompt);
    if (bos !== null && shouldPrependBosToken) tokens.unshift(bos);
    const made: Token[] = [];
    for await (const token of sequence.evaluate(tokens, { temperature: 0 })) {
      if (made.push(token) >= maxTokens) break;
    }
    model.detokenize(made);
    await sequence.clearHistory();
    return made.length;
  };
  return {
    async tokensPerSecond(prompts, maxTokens) {
      const started = performance.now();
      let tokens = 0;
      for (const prompt of prompts) tokens += await generate(prompt, maxTokens);
      return tokens / ((performance.now() - started) / 1e3);
    },
    close: () => llama.dispose(),
  };
}
