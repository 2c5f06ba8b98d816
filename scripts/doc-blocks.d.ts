export interface DocBlock {
  /** Path in the checkout. */
  page: string;
  /** Of its first fence, from 1. */
  line: number;
  language: string;
  /** The heading that it stands under. */
  heading: string;
  text: string;
  /** The comment before it; empty where there is none. */
  mark: string;
}

export function allPages(): string[];
export function blocksOf(page: string): DocBlock[];
export function fateOf(block: DocBlock): { by?: string; not?: string };
export function toRun(page: string, test: string): DocBlock[];
