import { fromHex, toHex } from '@fastness/codec/bytes';
import * as hpke from 'hpke';
import { expect, it } from 'vitest';
import { kems, kemXWing } from '../src/hpke.ts';
import { xWingAnswer } from './support/x-wing-answer.ts';

it('X-Wing decapsulates the ciphertext of its draft', async () => {
  const kem = hpke.KEM_MLKEM768_X25519();
  expect(kem.id).toBe(kemXWing);
  expect(kem.Nenc).toBe(kems.get(kemXWing)?.enc);
  expect(kem.Npk).toBe(kems.get(kemXWing)?.publicKey);
  const privateKey = await kem.DeserializePrivateKey(fromHex(xWingAnswer.sk), true);
  const shared = await kem.Decap(fromHex(xWingAnswer.ct), privateKey, undefined);
  expect(toHex(shared)).toBe(xWingAnswer.ss);
});
