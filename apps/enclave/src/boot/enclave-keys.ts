import { keyConfigDigestOf } from '@fastness/attest';
import { generateGatewayKeys, type GatewayKeys, type ReceiptKey } from '@fastness/channel';
import { generateNodeReceiptKey, nodePrimitives } from '@fastness/channel/node';

/** The public half of a generation of keys: what evidence commits to. */
export interface PublicKeys {
  /** RFC 9458 key configuration list. */
  readonly keyConfig: Uint8Array;
  /** Raw Ed25519 key, 32 bytes. */
  readonly receiptKey: Uint8Array;
  readonly digest: Uint8Array;
}

/** One generation of the enclave's keys. They are born here and the private halves never leave the process. */
export interface EnclaveKeys {
  readonly gateway: GatewayKeys;
  readonly receipt: ReceiptKey;
  readonly public: PublicKeys;
}

/** `previous` keeps key ids apart, so that a request to replaced keys is told so. */
export async function generateEnclaveKeys(previous?: EnclaveKeys): Promise<EnclaveKeys> {
  const gateway = await generateGatewayKeys({
    primitives: nodePrimitives,
    ...(previous === undefined ? {} : { previous: previous.gateway }),
  });
  const receipt = generateNodeReceiptKey();
  const { keyConfig } = gateway;
  const receiptKey = receipt.publicKey;
  const digest = await keyConfigDigestOf({ ohttpKeyConfig: keyConfig, receiptKey });
  return { gateway, receipt, public: { keyConfig, receiptKey, digest } };
}
