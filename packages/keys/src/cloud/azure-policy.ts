import type { KeyClientOptions } from '@azure/keyvault-keys';
import { FastnessError } from '@fastness/codec/errors';

type Policies = NonNullable<KeyClientOptions['additionalPolicies']>;

const keyUse = /^\/keys\/[0-9a-zA-Z-]+\/[0-9a-f]{32}\/(?:wrapkey|unwrapkey|sign)$/;

/**
 * Looks at every answer before the SDK does: the SDK drops the key id that the vault answers with, and falls over
 * errors without a body. Errors: KEYS_CLOUD_WRONG_KEY, KEYS_CLOUD_PROTOCOL, and by status.
 */
export const answerPolicy: Policies[number] = Object.freeze({
  position: 'perCall',
  policy: {
    name: 'fastness-answers',
    async sendRequest(request, next) {
      const response = await next(request);
      const { status, bodyAsText } = response;
      const fields = fieldsOf(bodyAsText);
      if (status >= 500 && fields === undefined) {
        throw new FastnessError('KEYS_CLOUD_UNAVAILABLE', `(status ${status})`);
      }
      if (status >= 400 && status !== 401 && fields === undefined) {
        throw new FastnessError('KEYS_CLOUD_FAILED', `(status ${status})`);
      }
      const url = new URL(request.url);
      if (status === 200 && keyUse.test(url.pathname)) {
        if (fields === undefined) throw new FastnessError('KEYS_CLOUD_PROTOCOL');
        const asked = `${url.origin}${url.pathname.replace(/\/[a-z]+$/, '')}`;
        if (!('kid' in fields) || fields.kid !== asked) throw new FastnessError('KEYS_CLOUD_WRONG_KEY');
      }
      return response;
    },
  },
} satisfies Policies[number]);

function fieldsOf(text: string | null | undefined): object | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
