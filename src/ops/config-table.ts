import { configSchema } from './config.ts';
import { type Leaf, leaves } from './config-paths.ts';

const UNITS = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
] as const;

/** `1073741824` → `1 GiB`, exact or not at all. */
function roundText(bytes: number): string {
  const unit = UNITS.find(([, size]) => bytes >= size && bytes % size === 0);
  return unit === undefined ? bytes.toString() : `${(bytes / unit[1]).toString()} ${unit[0]}`;
}

const nothing: readonly unknown[] = [undefined, null, ''];

function fallbackText({ path, fallback }: Leaf): string {
  if (Array.isArray(fallback) || nothing.includes(fallback)) return 'none';
  if (typeof fallback === 'number' && /Bytes/.test(path))
    return `\`${fallback.toString()}\` (${roundText(fallback)})`;
  return `\`${String(fallback)}\``;
}

const rowOf = (leaf: Leaf): string => {
  const choices =
    leaf.choices.length === 0 ? '' : `: ${leaf.choices.map((choice) => `\`${choice}\``).join(', ')}`;
  const variable = leaf.variable === null ? 'file only' : `\`${leaf.variable}\``;
  return `| \`${leaf.path}\` | ${variable} | ${fallbackText(leaf)} | ${leaf.description}${choices} |`;
};

/** The Markdown table of every value: README holds it between its markers. */
export function configTable(): string {
  return ['| value | variable | default | what |', '|---|---|---|---|', ...leaves.map(rowOf)].join('\n');
}

/** A whole configuration file: every default, and two organizations to begin from. */
export function configExample(): string {
  const example = configSchema.parse({
    version: 1,
    addressBook: {
      organizations: [
        {
          id: 'zh-oost',
          name: 'Ziekenhuis Oost',
          place: 'Enschede',
          ura: '00000001',
          mailboxes: [{ id: 'zh-oost', name: 'Radiologie Oost' }],
        },
        {
          id: 'zh-west',
          name: 'Ziekenhuis West',
          place: 'Leiden',
          ura: '00000002',
          mailboxes: [
            { id: 'zh-west', name: 'Radiologie West' },
            {
              id: 'zh-west-neuro',
              name: 'Neurologie West',
              kind: 'decentral',
              specialty: 'neurology',
              receiving: {
                by: 'stow',
                url: 'https://pacs.zh-west.example/dicom-web',
                tokenFile: '/etc/sluis/zh-west-neuro.token',
              },
            },
          ],
        },
      ],
    },
  });
  return `${JSON.stringify(example, null, 2)}\n`;
}
