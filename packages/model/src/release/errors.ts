import { provideErrors } from '@fastness/codec/errors';
import { lifecycleErrors } from '@fastness/codec/errors/lifecycle';
import { modelErrors } from '@fastness/codec/errors/model';

provideErrors(modelErrors, lifecycleErrors);
