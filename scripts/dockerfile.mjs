// Reads the part of Dockerfile syntax that ours uses; anything else is an error, never skipped.

const KNOWN = new Set('FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE HEALTHCHECK ENTRYPOINT CMD'.split(' '));

/** `[{name, steps: [{word, rest}]}]`, one per FROM. Throws with the line that it can't read. */
export function parseDockerfile(text) {
  const stages = [];
  const joined = text.replace(/\\\n/g, ' ').split('\n');
  for (const line of joined.map((one) => one.trim()).filter((one) => one !== '' && !one.startsWith('#'))) {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (!KNOWN.has(word)) throw new Error(`this Dockerfile line is not understood: ${line}`);
    if (word === 'FROM') {
      stages.push({ name: / AS (\S+)$/i.exec(rest)?.[1] ?? '', steps: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`a Dockerfile begins with FROM, not with: ${line}`);
      stage.steps.push({ word, rest });
    }
  }
  return stages;
}

/** `--from=build --chown=a:b x y z` → `{from: 'build', sources: ['x', 'y'], target: 'z'}` */
export function parseCopy(rest) {
  const words = rest.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const target = paths.pop();
  if (target === undefined || paths.length === 0)
    throw new Error(`COPY needs a source and a target: ${rest}`);
  return {
    from: flags.find((flag) => flag.startsWith('--from='))?.slice('--from='.length),
    sources: paths,
    target,
  };
}

/** `HEALTHCHECK --interval=10s CMD [...]`, `ENTRYPOINT [...]`: the words of the exec form. */
export function parseExec(rest) {
  const from = rest.indexOf('[');
  if (from < 0) throw new Error(`only the exec form (["a", "b"]) is understood: ${rest}`);
  return JSON.parse(rest.slice(from));
}
