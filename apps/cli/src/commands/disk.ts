import { Command } from 'commander';
import { writeModelDisk } from '@fastness/model/disk';
import { action } from '../support/command.ts';

export function diskCommand(): Command {
  return new Command('disk')
    .description('write a sealed model as the image of a disk, for a guest built with `npm run image`')
    .argument('<model>', 'folder of the sealed model, with its signature and approvals')
    .argument('<image>', 'file to write; one that is there is replaced')
    .action(
      action(async ({ output, signal }, _options, [model = '', image = '']) => {
        const { files, bytes } = await writeModelDisk({ directory: model, target: image, signal });
        output.result({ image, bytes, files: files.length }, [
          `${image}: ${files.length} files, ${bytes} bytes. Attach it as the first virtio disk of the guest.`,
        ]);
      }),
    );
}
