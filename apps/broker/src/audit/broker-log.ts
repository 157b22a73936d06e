import { parseVerifierKey } from '@fastness/log';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import type { BrokerSigner } from '../context.ts';
import { brokerLogKey, openTransparency, type Transparency } from './transparency.ts';
import type { BrokerWitnessesConfig } from './witnesses.ts';

/** Where and under which name a broker keeps its audit log as a transparency log. Every member has a default. */
export interface BrokerLogOptions {
  /** Folder of tiles and checkpoint. Default: the path of the audit log with `.tlog` behind it. */
  readonly directory?: string;
  /** First line of the checkpoints and name of the key. Default: `fastness-broker/` and the id of the key. */
  readonly origin?: string;
  /** An Ed25519 key of its own, in the signer's key store. Default: the broker's key signs, over texts no lease has. */
  readonly keyId?: string;
  /** Log keys, as text, that signed earlier checkpoints of this log. */
  readonly earlierKeys?: readonly string[];
  /** Who cosigns its checkpoints. Absent: nobody is asked. */
  readonly witnesses?: BrokerWitnessesConfig;
}

/** Opens the transparency log of a broker. Throws as `openTransparency` does, `BROKER_KEY_STORE`, `LOG_KEY_MALFORMED`. */
export async function openBrokerLog(
  options: BrokerLogOptions & {
    auditPath: string;
    signer: BrokerSigner;
    keyStore: KeyStore;
    report: (error: unknown) => void;
  },
): Promise<Transparency> {
  const { auditPath, signer, keyStore, keyId, report } = options;
  const own = keyId === undefined ? signer : await ownSigner(keyStore, keyId);
  return await openTransparency({
    directory: options.directory ?? `${auditPath}.tlog`,
    key: await brokerLogKey(own.publicKey, options.origin),
    sign: (message) => own.sign(message),
    earlierKeys: await Promise.all((options.earlierKeys ?? []).map(parseVerifierKey)),
    report,
  });
}

async function ownSigner(keyStore: KeyStore, keyId: string): Promise<Pick<BrokerSigner, 'publicKey' | 'sign'>> {
  try {
    const publicKey = await keyStore.publicKey(keyId);
    if (publicKey.length !== 44) throw new FastnessError('BROKER_SIGNER_UNSUITABLE', `Key ${keyId}.`);
    return { publicKey, sign: (message) => keyStore.sign(keyId, message) };
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'BROKER_SIGNER_UNSUITABLE') throw cause;
    throw new FastnessError('BROKER_KEY_STORE', undefined, { cause });
  }
}
