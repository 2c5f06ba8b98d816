export interface Storage {
  url: string;
  /** By path, such as `/a/b.csv`. */
  files: Map<string, Buffer>;
  close(): void;
}

/** @param port Default 7490; 0 for a free one */
export function startStorage(port?: number): Promise<Storage>;
