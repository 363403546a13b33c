/** Letters that may differ before another word is meant. */
const DISTANCE_MAX = 3;

/** Levenshtein: insertions, removals and replacements between two words. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [i, letter] of one.split('').entries()) {
    const next = [i + 1];
    for (const [j, against] of other.split('').entries()) {
      const replaced = (row[j] ?? 0) + (letter === against ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** The word that was most likely meant; undefined when none is close. */
export function nearest(word: string, among: readonly string[]): string | undefined {
  const asked = word.slice(0, 100).toLowerCase();
  const [best] = among
    .map((candidate) => ({ candidate, far: distance(asked, candidate.toLowerCase()) }))
    .sort((left, right) => left.far - right.far);
  return best !== undefined && best.far <= DISTANCE_MAX ? best.candidate : undefined;
}
