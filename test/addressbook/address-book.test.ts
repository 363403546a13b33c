import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWorld, type World } from '../transfer/world.ts';

describe('the address book', () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(() => world.close());

  it.each([
    ['zuid', ['zuid.main']],
    ['appingedam', ['noord.main', 'noord.mri']],
    ['KLINIEK neuro', ['noord.mri']],
    ['00000001', ['zuid.main']],
    ['noord.main', ['noord.main']],
    ['', ['noord.main', 'noord.mri', 'zuid.main']],
    ['null', []],
    ['kliniek zuidlaren', []],
    ['.*', []],
  ])('finds for %j the mailboxes in which every word occurs', (query, found) => {
    expect(world.addressBook.search(query).map(({ id }) => id)).toEqual(found);
  });

  it('shows nobody how a mailbox is reached', async () => {
    await world.mailbox('west.pacs', {
      by: 'stow',
      url: 'http://10.1.2.3:8042/dicom-web',
      tokenFile: '/secret',
    });
    const shown = JSON.stringify(world.addressBook.search(''));
    expect(shown).toContain('west.pacs');
    expect(shown).not.toContain('10.1.2.3');
    expect(shown).not.toContain('issuerOfPatientId');
    expect(shown).not.toContain('secret');
  });

  it('takes new content for what is there and never removes', async () => {
    await world.mailbox('west.pacs', { by: 'pull' });
    await world.mailbox('west.other', { by: 'pull' });
    expect(world.addressBook.mailbox('west.pacs').organization).toBe('west');
    await world.mailbox('west.pacs', { by: 'stow', url: 'http://127.0.0.1/', tokenFile: null });
    expect(world.addressBook.mailbox('west.pacs').receiving.by).toBe('stow');
    expect(world.addressBook.organizations().map(({ id }) => id)).toEqual(['noord', 'west', 'zuid']);
  });

  it('says whose a Patient ID is: by the id, or the name it was given, and by the URA as an OID', async () => {
    expect(world.addressBook.issuerOf('zuid')).toEqual({
      issuerOfPatientId: 'zuid',
      universalEntityId: '2.16.528.1.1007.3.3.1',
      universalEntityIdType: 'ISO',
    });
    expect(world.addressBook.issuerOf('noord')).toEqual({
      issuerOfPatientId: 'noord',
      universalEntityId: null,
      universalEntityIdType: null,
    });
    const zuid = world.addressBook.organization('zuid');
    if (zuid === undefined) throw new Error('no organization');
    await world.addressBook.seed([{ ...zuid, issuerOfPatientId: 'ZDIEP', mailboxes: [] }]);
    expect(world.addressBook.issuerOf('zuid')?.issuerOfPatientId).toBe('ZDIEP');
    expect(world.addressBook.issuerOf('oost')).toBeNull();
  });

  it('names an unknown mailbox only if what was asked for looks like one', () => {
    expect(() => world.addressBook.mailbox('oost.main')).toThrow('no mailbox is called oost.main');
    expect(() => world.addressBook.mailbox('Jansen^Piet 999990019')).toThrow('no mailbox has that id');
  });
});
