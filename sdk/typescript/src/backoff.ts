/** The least and the most that is waited before coming back, in milliseconds. Without the least, a server that drops
 *  every connection is asked without pause; without the most, a long outage makes everybody come back minutes late. */
export const leastWait = 500;
export const mostWait = 20_000;

/** The least and the most that is waited, in milliseconds. */
export interface Waits {
  least: number;
  most: number;
}

/** backoff is how long to wait after so many failures in a row: anything between the least and a bound that doubles, so that
 *  clients cut off in the same instant do not come back in the same instant. */
export function backoff(failures: number, { least, most }: Waits = { least: leastWait, most: mostWait }): number {
  const bound = Math.min(most, least * 2 ** Math.min(failures, 16));
  return least + Math.random() * (bound - least);
}

/** pause waits, and ends early when signal aborts; it never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
