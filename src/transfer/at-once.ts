/**
 * Calls `each` for all, at most `atOnce` at a time. After a failure no further one begins; rejects with it
 * when those under way have ended.
 */
export async function forEachAtOnce<T>(
  all: readonly T[],
  atOnce: number,
  each: (one: T, at: number) => Promise<void>,
): Promise<void> {
  const entries = all.entries();
  let hasFailed = false;
  const run = async (): Promise<void> => {
    for (const [at, one] of entries) {
      if (hasFailed) {
        return;
      }
      try {
        await each(one, at);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, run));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}
