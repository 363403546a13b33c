import { isId } from '../state/ids.ts';

/** Where both dialects are mounted. */
export const uploadsPath = '/v1/uploads';

/** The path of an upload, as Location and Upload-Concat tell it. */
export function addressOf(id: string): string {
  return `${uploadsPath}/${id}`;
}

/** Whether a path is that of all uploads. */
export function isCollection(path: string): boolean {
  return path === uploadsPath || path === `${uploadsPath}/`;
}

/** The id that the path of an upload names; undefined when it is none. */
export function idIn(path: string): string | undefined {
  const [, id = ''] = /^\/v1\/uploads\/([^/]+)$/.exec(path) ?? [];
  return isId(id) ? id : undefined;
}
