// SPDX-License-Identifier: MIT

/** An open attribute of sysfs. Failures are errors of fs: code 'ENOENT' where the module is not loaded. */
export class Handle {
  /** @param path another file, for a test */
  constructor(path?: string)
  /** The current generation: right from the first instruction after a resume. One system call. */
  read(): number
  /** Whether the generation differs from seen. One system call. */
  changed(seen: number): boolean
  /** Resolves with the generation when it differs from seen. Looks each interval (milliseconds, 100 by default). */
  wait(seen: number, options?: { signal?: AbortSignal, interval?: number }): Promise<number>
  /** Calls listener with each new generation, late by up to interval; returns what ends that. Errors are thrown from a timer. */
  watch(listener: (generation: number) => void, options?: { interval?: number }): () => void
  close(): void
}
