/** Which actions a setting of a fault is for: given to another, it would be ignored, which is not what was meant. */

interface Use {
  actions: readonly string[];
  /** The only operation where they use it. Default: wherever they can happen. */
  on?: string;
}

const USES = {
  sec: { actions: ['delay', 'delayAfter', 'restartNode', 'restartNodeAfter', 'cut', 'freeze', 'crash'] },
  status: { actions: ['answer', 'answerAfter'] },
  body: { actions: ['answer', 'answerAfter'] },
  message: { actions: ['answer', 'answerAfter', 'refuse', 'fail'] },
  exitCode: { actions: ['fail'] },
  isFinal: { actions: ['refuse'], on: 'provider.negotiate' },
  factor: { actions: ['tooMuch', 'tooOften', 'impossibleUsage', 'dearer'] },
} satisfies Record<string, Use>;

/** Settings that are given and that the fault's action does not use, each with what is wrong. */
export function unusedSettings(fault: { on: string; do: string }): [setting: string, problem: string][] {
  return Object.entries<Use>(USES).flatMap(([setting, { actions, on }]) => {
    const isGiven = fault[setting as keyof typeof fault] !== undefined;
    if (!isGiven || (actions.includes(fault.do) && (on === undefined || on === fault.on))) return [];
    const users = `${actions.join(', ')}${on === undefined ? '' : ` on ${on}`}`;
    return [[setting, `${fault.do} on ${fault.on} does not use it; it is for: ${users}`]];
  });
}
