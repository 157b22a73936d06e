import { request } from 'node:http';
import { access } from 'node:fs/promises';
import { encodeGcpConfidentialSpaceEvidence } from '@fastness/attest/formats/gcp-confidential-space';
import { concatBytes, toBase64Url, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type Collector } from '../collector.ts';

/** Where the launcher of a Confidential Space image listens, inside the workload's container. */
export const CONFIDENTIAL_SPACE_SOCKET = '/run/container_launcher/teeserver.sock';

export interface ConfidentialSpaceOptions {
  /** `aud` of the tokens, at most 512 bytes: what the policy's section names. */
  readonly audience: string;
  /** How Google signs: with a key of its published set, or with one certified by the Confidential Space root. Default: PKI. */
  readonly tokenType?: 'OIDC' | 'PKI';
  /** Default: {@link CONFIDENTIAL_SPACE_SOCKET}. */
  readonly socketPath?: string;
  /** Milliseconds. Google's service is asked each time. Default: 20,000. */
  readonly timeoutMs?: number;
}

const MAX_TOKEN = 65_536;

/**
 * Collects tokens of Google Confidential Space from the launcher (Confidential Space documentation, "Connect to external
 * resources": POST /v1/token). The report data is the one nonce, base64url, 86 of 88 characters that Google takes. The token
 * is Google's word, not the hardware's.
 * @returns undefined where there is no launcher
 */
export async function openConfidentialSpace(options: ConfidentialSpaceOptions): Promise<Collector | undefined> {
  const { socketPath = CONFIDENTIAL_SPACE_SOCKET } = options;
  const present = await access(socketPath).then(
    () => true,
    () => false,
  );
  if (!present) return undefined;
  return Object.freeze<Collector>({
    name: `confidential-space ${socketPath}`,
    tee: 'gcp-confidential-space',
    simulated: false,
    detect: async () => ({ present: true, detail: `Launcher of Confidential Space at ${socketPath}` }),
    collect: async (reportData) => {
      requireReportData('gcp-confidential-space', reportData);
      const token = new TextDecoder().decode(await ask(options, socketPath, toBase64Url(reportData))).trim();
      if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token))
        throw new FastnessError('EVIDENCE_RESPONSE', 'The launcher gave no token.');
      return { evidence: encodeGcpConfidentialSpaceEvidence(token), endorsements: [] };
    },
  });
}

async function ask(options: ConfidentialSpaceOptions, socketPath: string, nonce: string): Promise<Uint8Array> {
  const { audience, tokenType = 'PKI', timeoutMs = 20_000 } = options;
  const body = utf8Encode(JSON.stringify({ audience, token_type: tokenType, nonces: [nonce] }));
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const asked = request(
        { socketPath, path: '/v1/token', method: 'POST', headers, signal, agent: false },
        (answer) => {
          const parts: Uint8Array[] = [];
          let total = 0;
          answer.on('data', (part: Uint8Array) => {
            total += part.length;
            if (total > MAX_TOKEN) {
              asked.destroy(new FastnessError('EVIDENCE_RESPONSE', `The launcher sent more than ${MAX_TOKEN} bytes.`));
            } else {
              parts.push(part);
            }
          });
          answer.on('error', reject);
          answer.on('end', () => {
            if (answer.statusCode === 200) resolve(concatBytes(...parts));
            else
              reject(new FastnessError('EVIDENCE_REFUSED', `The launcher answers with status ${answer.statusCode}.`));
          });
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    if (signal.aborted) throw new FastnessError('EVIDENCE_TIMEOUT', `The launcher: ${timeoutMs} ms.`, { cause });
    throw new FastnessError('EVIDENCE_UNREACHABLE', `${socketPath} does not answer.`, { cause });
  }
}
