/** For the test that replays histories, which is TypeScript. */
import type { temporal } from '@temporalio/proto';

type History = temporal.api.history.v1.IHistory;

export function historyToJson(history: History): string;
export function historyFromJson(text: string): History;
