import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { SeenRequest } from '../services/fake-service.ts';
import { ServiceError } from './faults.ts';

export interface AwsIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const form =
  /^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;

/** Checks Signature Version 4 of a request as the service does, its body included. */
export function verifySigV4(request: SeenRequest, identity: AwsIdentity, region: string, service: string): void {
  const match = form.exec(request.headers.authorization ?? '');
  if (match === null) throw new ServiceError('MissingAuthenticationTokenException', 400);
  const [, accessKeyId, day = '', signedRegion, signedService, signedHeaders = '', signature = ''] = match;
  if (accessKeyId !== identity.accessKeyId) throw new ServiceError('UnrecognizedClientException', 400);
  if (signedRegion !== region || signedService !== service) throw new ServiceError('InvalidSignatureException', 400);
  const date = String(request.headers['x-amz-date'] ?? '');
  const skew = Math.abs(Date.now() - Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')));
  if (!date.startsWith(day) || !(skew < 300_000)) throw new ServiceError('InvalidSignatureException', 400);
  const names = signedHeaders.split(';');
  for (const needed of ['host', 'x-amz-date', 'x-amz-target']) {
    if (!names.includes(needed)) throw new ServiceError('InvalidSignatureException', 400);
  }
  const canonical = [
    request.method,
    request.path,
    request.query.toString(),
    ...names.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}`),
    '',
    signedHeaders,
    sha256(request.body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${identity.secretAccessKey}`);
  for (const part of [day, region, service, 'aws4_request']) key = hmac(key, part);
  if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'))) {
    throw new ServiceError('InvalidSignatureException', 400);
  }
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
