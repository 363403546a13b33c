import { authorizer } from '../../../src/access/api-keys.ts';
import { Bell } from '../../../src/delivery/bell.ts';
import { Offers } from '../../../src/delivery/offers.ts';
import { createApi } from '../../../src/http/api/app.ts';
import { openapiOf } from '../../../src/http/api/openapi.ts';
import { apiRoutes } from '../../../src/http/api/routes.ts';
import { WorkPool } from '../../../src/work/pool.ts';
import { openWorld, transferLimits, type World } from '../../transfer/world.ts';

const apiLimits = { ...transferLimits, remarkCharactersMax: 40, manifestBytesMax: 64 * 1024 };

/** A world with the JSON API on it: as main.ts puts it together, without uploads. */
export interface ApiWorld extends World {
  readonly api: ReturnType<typeof createApi>;
  readonly authorize: ReturnType<typeof authorizer>;
  readonly offers: Offers;
  readonly bell: Bell;
  readonly tokens: { readonly zuid: string; readonly noord: string };
  /** Transfers whose manifest was sealed. */
  readonly sealed: string[];
  /** Mailboxes that were told of a late BSN. */
  readonly retagged: string[];
}

export async function openApiWorld(): Promise<ApiWorld> {
  const world = await openWorld();
  const pool = new WorkPool({ workers: 1 });
  await pool.start();
  const bell = new Bell();
  const offers = new Offers({ ...world, pool, onOffered: (mailbox) => bell.ring(mailbox) });
  const sealed: string[] = [];
  const onSealed = (transfer: string): void => void sealed.push(transfer);
  const retagged: string[] = [];
  const onRetagged = (mailboxes: readonly string[]): void => void retagged.push(...mailboxes);
  const routes = apiRoutes({ ...world, offers, bell, limits: apiLimits, onSealed, onRetagged });
  const authorize = authorizer(world.state);
  const api = createApi({ routes, authorize, openapi: openapiOf(routes, '0.0.0'), log: world.log });
  const tokens = { zuid: await world.token('zuid'), noord: await world.token('noord') };
  return {
    ...world,
    api,
    authorize,
    offers,
    bell,
    tokens,
    sealed,
    retagged,
    async close() {
      await offers.stop(AbortSignal.timeout(2000));
      await pool.stop(AbortSignal.timeout(2000));
      await world.close();
    },
  };
}
