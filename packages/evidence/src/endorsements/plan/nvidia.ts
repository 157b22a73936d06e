import { NVIDIA_ENDORSEMENTS_TYPE } from '@fastness/attest';
import {
  decodeNvidiaEndorsements,
  encodeNvidiaEndorsements,
  neededEndorsements,
  readRim,
} from '@fastness/attest/formats/nvidia';
import { FastnessError } from '@fastness/codec/errors';
import { answerFor, parseOcspResponse } from '@fastness/codec/ocsp';
import type { Certificate } from '@fastness/codec/x509';
import { includesBytes } from '../judge.ts';
import { ocspRequest } from '../nvidia/ocsp.ts';
import { rimRequest } from '../nvidia/rim.ts';
import type { Endorsement } from '../types.ts';
import type { Completed, CompleteOptions } from './types.ts';

type Pair = ReturnType<typeof neededEndorsements>['certificates'][number];

/** What a GPU or switch lacks: the documents of its driver and firmware, and OCSP answers about both chains. */
export async function completeNvidia(options: CompleteOptions): Promise<Completed> {
  const { evidence, endorsements, source, prefer = 'given', signal } = options;
  const given = endorsements
    .filter(({ type }) => type === NVIDIA_ENDORSEMENTS_TYPE)
    .map((each) => decodeNvidiaEndorsements(each));
  const documents = given.flatMap(({ rims }) => rims);
  const answers = given.flatMap(({ ocspResponses }) => ocspResponses);

  const { rims: wanted } = neededEndorsements(evidence);
  const present = new Set(documents.map((bytes) => versionOf(bytes)));
  const missing = wanted.filter(({ version }) => !present.has(version.toUpperCase()));
  const rims = await Promise.all(missing.map(async ({ id }) => source.get(rimRequest({ id }), signal)));
  const all = [...documents, ...rims.map(({ item }) => item.body)];

  const { certificates: pairs } = neededEndorsements(evidence, all);
  const asked = prefer === 'fetched' ? pairs : await withoutAnswers(pairs, answers);
  const responses = await Promise.all(
    distinct(asked).map(async (pair) => source.get(await ocspRequest({ chain: chainOf(pair, pairs) }), signal)),
  );
  if (rims.length + responses.length === 0) return { endorsements: [...endorsements], fetched: [] };
  const added = encodeNvidiaEndorsements({
    rims: rims.map(({ item }) => item.body),
    ocspResponses: responses.map(({ item }) => item.body),
  });
  return { endorsements: [...endorsements, added], fetched: [...rims, ...responses] satisfies Endorsement[] };
}

function versionOf(document: Uint8Array): string | undefined {
  try {
    return readRim(document).version.toUpperCase();
  } catch (error) {
    // A document that cannot be read does not stand in for one that can; the verifier refuses it.
    if (error instanceof FastnessError) return undefined;
    throw error;
  }
}

async function withoutAnswers(pairs: readonly Pair[], answers: readonly Uint8Array[]): Promise<Pair[]> {
  const responses = answers.map((bytes) => parseOcspResponse(bytes));
  const answered = await Promise.all(
    pairs.map(async ({ certificate, issuer }) => {
      const found = await Promise.all(responses.map(async (response) => answerFor(response, certificate, issuer)));
      return found.some((answer) => answer !== undefined);
    }),
  );
  return pairs.filter((_, index) => answered[index] !== true);
}

/** The two documents of a device share the upper part of their chains. */
function distinct(pairs: readonly Pair[]): Pair[] {
  const kept: Pair[] = [];
  for (const pair of pairs) {
    if (
      !includesBytes(
        kept.map(({ certificate }) => certificate.raw),
        pair.certificate.raw,
      )
    )
      kept.push(pair);
  }
  return kept;
}

/** The certificate, its issuer, and so on up to one that none of the pairs names an issuer for. */
function chainOf(pair: Pair, pairs: readonly Pair[]): Certificate[] {
  const chain = [pair.certificate, pair.issuer];
  for (let top = pair.issuer; chain.length <= pairs.length;) {
    const above = pairs.find(({ certificate }) => includesBytes([certificate.raw], top.raw));
    if (above === undefined) break;
    chain.push(above.issuer);
    top = above.issuer;
  }
  return chain;
}
