import { FastnessError } from '@fastness/codec/errors';

/** The chunks were complete and the message in them was not: whoever encoded it is at fault, not the network. */
export function incomplete(): FastnessError {
  return new FastnessError('CHANNEL_HTTP_MALFORMED', 'It ends before its parts do.');
}
