import { basicConstraints, keyUsage } from '../x509/extensions.ts';
import { forgeCertificate } from '../x509/certificate.ts';
import { sharedKeys } from '../x509/keys.ts';
import { forgeOcspResponse, ocspSigning, type ForgeOcspResponseOptions, type ForgedOcspAnswer } from '../x509/ocsp.ts';
import { nvidiaName, type ForgedNvidiaChain } from './chain.ts';

export interface ForgeChainOcspOptions<Level extends string> {
  readonly chain: ForgedNvidiaChain<Level>;
  /** Levels from the one to ask about up to the root; NVIDIA answers about all but leaf and root of a device. */
  readonly levels: readonly Level[];
  readonly now: Date;
  readonly nonce?: Uint8Array;
  /** Changes the answer about a level. */
  readonly answers?: Readonly<Partial<Record<Level, Partial<ForgedOcspAnswer>>>>;
  /** Changes the response about a level. */
  readonly responses?: Readonly<Partial<Record<Level, Partial<ForgeOcspResponseOptions>>>>;
  /** Whether a responder of the issuer's signs, as NVIDIA's does, or the issuer itself. Default: true. */
  readonly delegated?: boolean;
}

/** One OCSP response for each level but the last, each by the issuer of that level's certificate. */
export async function forgeChainOcsp<Level extends string>(
  options: ForgeChainOcspOptions<Level>,
): Promise<readonly Uint8Array[]> {
  const { chain, levels, now, nonce, delegated = true } = options;
  const at = (minutes: number) => new Date(now.getTime() + minutes * 60_000);
  const keys = await sharedKeys('NVIDIA OCSP responder', 'p-384');
  return Promise.all(
    levels.slice(0, -1).map(async (level, place) => {
      const above = levels[place + 1] ?? level;
      const issuer = { name: chain.names[above], keys: chain.keys[above] };
      const subject = nvidiaName(`OCSP responder of ${chain.names[above].commonName ?? ''}`);
      const certificate = await forgeCertificate({
        subject,
        keys,
        issuer,
        validity: { notBefore: at(-60), notAfter: at(600) },
        extensions: [basicConstraints({ ca: false }), keyUsage('digitalSignature'), ocspSigning],
      });
      return forgeOcspResponse({
        answers: [
          {
            serial: chain.serials[level],
            issuer,
            thisUpdate: at(-1),
            nextUpdate: at(60),
            ...options.answers?.[level],
          },
        ],
        responder: delegated ? { name: subject, keys } : issuer,
        certificates: delegated ? [certificate] : [],
        producedAt: at(-1),
        ...(nonce === undefined ? {} : { nonce }),
        ...options.responses?.[level],
      });
    }),
  );
}
