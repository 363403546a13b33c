/** Rows as lines, each column as wide as its widest cell; numbers are the caller's to format. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** At most so many lines of a list of `count`, and behind them how many more there are. */
export function firstLines(lines: readonly string[], most: number, count = lines.length): string[] {
  const first = lines.slice(0, most);
  const more = count - first.length;
  return more > 0 ? [...first, `and ${more.toString()} more`] : first;
}
