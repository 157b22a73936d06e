#!/usr/bin/env node
/**
 * Scores the classifier through onnxruntime-node and @huggingface/tokenizers.
 *
 *   node evaluate.mjs MODEL_FOLDER HELDOUT.jsonl [METRICS.json]
 *
 * The held-out rows are those of the triage model; the label is the level in
 * their answer.  Every row is also scored as part of a padded batch, which must
 * give the same class: padding that leaks into a result is a common export bug.
 * And the token ids must be those of training, compared by their hash.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { InferenceSession, Tensor } from "onnxruntime-node";

const BATCH = 16;

const [folder, heldoutPath, metricsPath] = process.argv.slice(2);
if (!folder || !heldoutPath) {
  console.error("usage: node evaluate.mjs MODEL_FOLDER HELDOUT.jsonl [METRICS.json]");
  process.exit(2);
}

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const readJson = async (name) => JSON.parse(await readFile(join(folder, name), "utf8"));

const tokenizer = new Tokenizer(await readJson("tokenizer.json"), {});
const { id2label } = await readJson("config.json");
const session = await InferenceSession.create(join(folder, "model.onnx"), { intraOpNumThreads: 1 });

/** Predicted class ids of some texts, scored as one padded batch. */
async function classify(texts) {
  const rows = texts.map((text) => tokenizer.encode(text).ids);
  const length = Math.max(...rows.map((row) => row.length));
  const ids = new BigInt64Array(rows.length * length);
  const mask = new BigInt64Array(rows.length * length);
  rows.forEach((row, i) =>
    row.forEach((id, j) => {
      ids[i * length + j] = BigInt(id);
      mask[i * length + j] = 1n;
    }),
  );
  const dims = [rows.length, length];
  const { logits, sentence_embedding: embedding } = await session.run({
    input_ids: new Tensor("int64", ids, dims),
    attention_mask: new Tensor("int64", mask, dims),
  });
  if (embedding.dims[0] !== rows.length) throw new Error("one embedding per text expected");
  const labels = logits.dims[1];
  return rows.map((_, i) => {
    const row = Array.from(logits.data.slice(i * labels, (i + 1) * labels));
    return row.indexOf(Math.max(...row));
  });
}

const heldout = await readFile(heldoutPath);
const rows = heldout.toString().trim().split("\n").map((line) => JSON.parse(line));
const idLines = rows.map((row) => `${tokenizer.encode(row.note).ids.join(",")}\n`).join("");
const { heldout_ids_sha256: trainedIds } = await readJson("training.json");
const alone = [];
for (const row of rows) alone.push(...(await classify([row.note])));
const batched = [];
for (let i = 0; i < rows.length; i += BATCH) {
  batched.push(...(await classify(rows.slice(i, i + BATCH).map((row) => row.note))));
}

const splits = {};
const confusion = {};
rows.forEach((row, i) => {
  const want = Number(/^level=(\d)/.exec(row.answer)[1]);
  const split = (splits[row.split] ??= { notes: 0, right: 0, withinOneLevel: 0 });
  split.notes += 1;
  split.right += alone[i] === want;
  // off-topic text (class 0) is near to no level
  split.withinOneLevel += alone[i] === want || (want * alone[i] > 0 && Math.abs(alone[i] - want) === 1);
  const line = (confusion[id2label[want]] ??= {});
  line[id2label[alone[i]]] = (line[id2label[alone[i]]] ?? 0) + 1;
});
const right = Object.values(splits).reduce((sum, split) => sum + split.right, 0);

const metrics = {
  model: { file: "model.onnx", sha256: sha256(await readFile(join(folder, "model.onnx"))) },
  heldout: { file: basename(heldoutPath), sha256: sha256(heldout) },
  runtime: "onnxruntime-node, CPU, one thread",
  notes: rows.length,
  accuracy: Number((right / rows.length).toFixed(4)),
  splits,
  tokenIdsAsTrained: sha256(idLines) === trainedIds,
  paddedBatchAgrees: alone.every((label, i) => label === batched[i]),
  confusion,
};
console.log(JSON.stringify(metrics, null, 2));
if (metricsPath) await writeFile(metricsPath, `${JSON.stringify(metrics, null, 2)}\n`);
