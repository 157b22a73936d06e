import { access, constants } from 'node:fs/promises';
import { carry, sendFile, type Accepting, type End, type Limits, type TcpAddress } from '@fastness/enclave/vsock';
import { FastnessError } from '@fastness/codec/errors';
import { asFastnessError } from './run.ts';

export interface VsockProxy {
  /** Where the enclave is reached. */
  readonly url: string;
  /** Stops listening and cuts every connection off. */
  close(): Promise<void>;
}

/**
 * The three ways of an enclave that has no network: clients come in, it asks the broker, it fetches its model. Either all of
 * them are open or none. Throws CLI_FILE_UNREADABLE, VSOCK_UNSUPPORTED, VSOCK_LISTEN, VSOCK_CALL.
 */
export async function startVsockProxy(options: {
  readonly clients: TcpAddress;
  readonly enclave: End;
  /** Where the enclave asks for the broker. */
  readonly brokerSide: End;
  readonly broker: TcpAddress;
  readonly model?: { readonly at: End; readonly file: string };
  readonly limits?: Limits;
  /** A connection was cut off. */
  readonly failed: (error: FastnessError) => void;
}): Promise<VsockProxy> {
  const { clients, enclave, brokerSide, broker, model } = options;
  const common = {
    limits: options.limits ?? {},
    failed: (error: unknown) => options.failed(asFastnessError(error, 'VSOCK_UNREACHABLE')),
  };
  const open: Accepting[] = [];
  const close = async (): Promise<void> => void (await Promise.all(open.map((each) => each.close())));
  try {
    if (model !== undefined) {
      await access(model.file, constants.R_OK).catch((cause: unknown) => {
        throw new FastnessError('CLI_FILE_UNREADABLE', model.file, { cause });
      });
      open.push(await sendFile({ from: model.at, file: model.file, ...common }));
    }
    open.push(await carry({ from: brokerSide, to: broker, ...common }));
    const way = await carry({ from: clients, to: enclave, ...common });
    open.push(way);
    return { url: `http://${clients.host}:${way.port}`, close };
  } catch (error) {
    await close();
    throw error;
  }
}
