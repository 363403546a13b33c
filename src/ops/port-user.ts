import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const listening = '0A';

/**
 * Who listens on a TCP port of this machine, as `node (process 4711)`, for a message that helps. Reads
 * /proc (Linux); undefined elsewhere, or where that process belongs to another user.
 */
export function portUser(port: number): string | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => inodesOf(table, port)));
  if (inodes.size === 0) {
    return undefined;
  }
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) {
        return `${textOf(`/proc/${pid}/comm`).trim()} (process ${pid})`;
      }
    }
  }
  return undefined;
}

/** Lines of /proc/net/tcp: number, local address:port in hex, remote, state, … the tenth field is the inode. */
function inodesOf(table: string, port: number): string[] {
  return textOf(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local = '', , state]) =>
        state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port,
    )
    .flatMap((fields) => fields[9] ?? []);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
