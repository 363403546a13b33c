import type { ObjectId, ObjectWriter, Storage } from '../../src/storage/storage.ts';

/** The storage with some of its functions replaced. */
export function withParts(storage: Storage, parts: Partial<Storage>): Storage {
  return {
    create: (object) => storage.create(object),
    open: (object, bytes) => storage.open(object, bytes),
    remove: (object) => storage.remove(object),
    list: () => storage.list(),
    read: (extents, start, end) => storage.read(extents, start, end),
    lend: (extents, start, end, use) => storage.lend(extents, start, end, use),
    settle: (object, bytes, whole) => storage.settle(object, bytes, whole),
    room: (stop) => storage.room(stop),
    pathOf: (object) => storage.pathOf(object),
    footprint: (bytes) => storage.footprint(bytes),
    space: () => storage.space(),
    ...parts,
  };
}

/** The storage with some functions of its writers replaced. */
export function withWriter(
  storage: Storage,
  change: (writer: ObjectWriter, object: ObjectId, bytes: number) => Partial<ObjectWriter>,
): Storage {
  return withParts(storage, {
    open: async (object, bytes) => {
      const writer = await storage.open(object, bytes);
      return {
        write: (chunk, position) => writer.write(chunk, position),
        writeSync: (chunk, position) => writer.writeSync(chunk, position),
        sync: () => writer.sync(),
        close: () => writer.close(),
        ...change(writer, object, bytes),
      };
    },
  });
}
