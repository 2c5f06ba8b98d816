/** What the commands of a script print, to where it belongs. */
import { UNPRINTABLE } from '../model/foreign-text';
import type { CommandResult } from '../model/result';

/** What would steer the terminal; whoever reads from a pipe gets the outputs as they are. */
const STEERING = new RegExp(`(?![\\t\\n])[${UNPRINTABLE}]`, 'g');

export function resultPrinter(): (result: CommandResult) => void {
  return ({ stdout, stderr }) => {
    write(process.stdout, stdout);
    write(process.stderr, stderr);
  };
}

function write(stream: NodeJS.WriteStream, text: string | null): void {
  if (text) stream.write(stream.isTTY ? text.replaceAll('\r\n', '\n').replace(STEERING, '\ufffd') : text);
}
