import { provideErrors } from '@fastness/codec/errors';
import { channelErrors } from '@fastness/codec/errors/channel';

provideErrors(channelErrors);
