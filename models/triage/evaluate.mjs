#!/usr/bin/env node
/**
 * Scores a triage GGUF through node-llama-cpp, the way it is served.
 *
 *   node evaluate.mjs triage.gguf heldout.jsonl [metrics.json]
 *
 * Each held-out note goes through the chat template stored in the GGUF, is
 * decoded greedily and must end by itself.  The answer counts as exact only if
 * the whole line equals the label.  Also checked: that the prompt's token ids
 * are those that training used (their hash is in the held-out file).
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { getLlama, JinjaTemplateChatWrapper, LlamaChatSession } from "node-llama-cpp";

const FIELDS = ["level", "system", "flags", "action"];
/** Longer than any right answer; a model that does not stop is cut off here. */
const MAX_TOKENS = 96;
/** A system message that is not in the training data; the answers should not change. */
const SYSTEM = "You are a careful ward assistant. Keep to the agreed format and to what the text says.";

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

/** "level=2 | system=x | ..." as an object; unknown or missing parts are left out. */
function parse(line) {
  const pairs = line.split(" | ").map((part) => part.split("="));
  return Object.fromEntries(pairs.filter(([name]) => FIELDS.includes(name)));
}

/** Counts of right answers, in all and by field. */
class Score {
  notes = 0;
  exact = 0;
  stopped = 0;
  sameTokens = 0;
  fields = Object.fromEntries(FIELDS.map((name) => [name, 0]));

  add(row, answer, stopped, sameTokens) {
    this.notes += 1;
    this.exact += answer === row.answer;
    this.stopped += stopped;
    this.sameTokens += sameTokens;
    const [got, want] = [parse(answer), parse(row.answer)];
    for (const name of FIELDS) this.fields[name] += got[name] === want[name];
  }

  report() {
    const share = (count) => Number((count / this.notes).toFixed(4));
    return {
      notes: this.notes,
      exact: share(this.exact),
      fields: Object.fromEntries(FIELDS.map((name) => [name, share(this.fields[name])])),
      stoppedByItself: share(this.stopped),
      promptTokensAsTrained: share(this.sameTokens),
    };
  }
}

const [modelPath, heldoutPath, metricsPath] = process.argv.slice(2);
if (!modelPath || !heldoutPath) {
  console.error("usage: node evaluate.mjs MODEL.gguf HELDOUT.jsonl [METRICS.json]");
  process.exit(2);
}

const llama = await getLlama({ gpu: false, build: "never", maxThreads: 1 });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 512, threads: 1 });
const chatWrapper = new JinjaTemplateChatWrapper({
  template: model.fileInfo.metadata.tokenizer.chat_template,
});
const session = new LlamaChatSession({ contextSequence: context.getSequence(), chatWrapper });

const heldout = await readFile(heldoutPath);
const rows = heldout.toString().trim().split("\n").map((line) => JSON.parse(line));
let generated = 0;

/** Do the ids of the rendered prompt hash to what training recorded for this row? */
function tokensAsTrained(row) {
  const { contextText } = chatWrapper.generateContextState({
    chatHistory: [{ type: "user", text: row.note }, { type: "model", response: [] }],
  });
  const ids = contextText.tokenize(model.tokenizer);
  // the context adds the beginning-of-sequence token when the template did not
  if (ids[0] !== model.tokens.bos) ids.unshift(model.tokens.bos);
  return sha256(ids.join(",")).slice(0, 8) === row.prompt;
}

/** Scores every row, each in a chat of its own that starts with `history`. */
async function scoreAll(history) {
  const scores = { all: new Score() };
  for (const row of rows) {
    // also keeps out the system prompt that the library would add by itself
    session.setChatHistory(structuredClone(history));
    const { responseText, stopReason } = await session.promptWithMeta(row.note, {
      temperature: 0,
      maxTokens: MAX_TOKENS,
      onToken: (tokens) => (generated += tokens.length),
    });
    scores[row.split] ??= new Score();
    for (const score of [scores.all, scores[row.split]]) {
      score.add(row, responseText, stopReason === "eogToken", tokensAsTrained(row));
    }
    if (history.length === 0 && responseText !== row.answer) {
      console.log(`note: ${row.note}\n want: ${row.answer}\n got:  ${responseText}\n`);
    }
  }
  return Object.fromEntries(Object.entries(scores).map(([name, score]) => [name, score.report()]));
}

const began = performance.now();
const { all, ...splits } = await scoreAll([]);
const withSystem = await scoreAll([{ type: "system", text: SYSTEM }]);
const seconds = (performance.now() - began) / 1000;
await llama.dispose();

const metrics = {
  model: { file: basename(modelPath), sha256: sha256(await readFile(modelPath)) },
  heldout: { file: basename(heldoutPath), sha256: sha256(heldout) },
  decoding: "greedy, node-llama-cpp, CPU, one thread",
  all,
  splits,
  withSystemMessage: { text: SYSTEM, exact: withSystem.all.exact, fields: withSystem.all.fields },
  tokensPerSecond: Math.round(generated / seconds),
};
console.log(JSON.stringify(metrics, null, 2));
if (metricsPath) await writeFile(metricsPath, `${JSON.stringify(metrics, null, 2)}\n`);
