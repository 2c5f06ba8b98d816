/** What the commands of a script print, to where it belongs. */
import { UNPRINTABLE } from '../model/foreign-text';
import type { CommandResult } from '../model/result';
import { withoutMark } from '../model/result-size';

/** What would steer the terminal; whoever reads from a pipe gets the outputs as they are. */
const STEERING = new RegExp(`(?![\\t\\n])[${UNPRINTABLE}]`, 'g');

export interface ResultPrinter {
  print(result: CommandResult): void;
  /** Says on standard error, once, what is missing of the outputs. */
  end(): void;
}

export function resultPrinter(): ResultPrinter {
  let cutBytes = 0;
  const write = (stream: NodeJS.WriteStream, text: string | null): void => {
    if (!text) return;
    const { whole, missing } = withoutMark(text);
    cutBytes += missing;
    stream.write(stream.isTTY ? whole.replaceAll('\r\n', '\n').replace(STEERING, '\ufffd') : whole);
  };
  return {
    print({ stdout, stderr }) {
      write(process.stdout, stdout);
      write(process.stderr, stderr);
    },
    end() {
      if (cutBytes === 0) return;
      console.error(
        `golem-temporal: ${cutBytes} bytes of the output were cut off: write it to a file and transfer that, ` +
          'or rent with a larger outputLimitBytes (65536 at most)',
      );
    },
  };
}
