import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** As .ci/run installs them. */
const VERSIONS = { versitygw: '1.7.0', tusd: '2.10.0' } as const;

export type GoPeer = keyof typeof VERSIONS;

/** The program of a peer that is written in Go. Throws with the remedy when it is not there. */
export function goPeer(name: GoPeer): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const own = process.env.SLUIS_PEERS_GO;
  const paths = [
    ...(own === undefined ? [] : [join(own, name)]),
    join(cache, 'sluis-ci', 'go', `${name}-${VERSIONS[name]}`, name),
  ];
  const found = paths.find(isProgram);
  if (found === undefined) throw new Error(`${name} is not installed: run .ci/run`);
  return found;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
