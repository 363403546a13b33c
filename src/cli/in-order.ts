/**
 * What `work` makes of each input, in the order of the inputs, with at most `most` of them under way. A
 * rejection comes in its turn, when what runs beside it has ended.
 */
export async function* inOrder<A, B>(
  inputs: AsyncIterable<A>,
  most: number,
  work: (input: A) => Promise<B>,
): AsyncGenerator<B> {
  const underWay: Promise<B>[] = [];
  try {
    for await (const input of inputs) {
      const result = work(input);
      // It may fail long before its turn, when nobody listens yet.
      result.catch(() => undefined);
      underWay.push(result);
      if (underWay.length < most) continue;
      const first = underWay.shift();
      if (first !== undefined) yield await first;
    }
    for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) yield await first;
  } finally {
    await Promise.allSettled(underWay);
  }
}
