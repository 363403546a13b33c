import { createHash } from 'node:crypto';

export type Language = 'nl' | 'en';

export interface Landing {
  readonly version: string;
  /** Where metrics and health listen. Linked to only where that is an address that can be opened. */
  readonly ops: { readonly host: string; readonly port: number };
  /** What is read first; `preferredLanguage` finds it. */
  readonly language: Language;
}

const STYLE = `
:root{color-scheme:light dark;--ink:#14232e;--paper:#f6f8f9;--card:#fff;--line:#cfd8dd;--accent:#0b5a7a;--soft:#4a5b66}
@media (prefers-color-scheme:dark){:root{--ink:#e8eef2;--paper:#10181e;--card:#18232b;--line:#33434e;--accent:#7cc7e8;--soft:#a9bac5}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",sans-serif}
header,main,footer{max-width:46rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:3.5rem}
h1{font-size:2.5rem;line-height:1.1;margin:0;letter-spacing:-.02em}
h2{font-size:1.35rem;margin:0 0 .75rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.5rem;margin:1.75rem 0}
p{margin:0 0 1rem}
dl{margin:0;display:grid;grid-template-columns:max-content 1fr;gap:.5rem 1.5rem}
dt{font-weight:600}
dd{margin:0;overflow-wrap:anywhere}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:.2rem}
nav a{margin-right:1rem}
footer{color:var(--soft);font-size:.9375rem;padding-bottom:3rem}
@media (max-width:34rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.75rem}}
`;

const styleHash = createHash('sha256').update(STYLE).digest('base64');

/** Headers that go with the page: no script, no form, no frame, nothing from elsewhere. */
export const landingHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  vary: 'accept-language',
};

interface Texts {
  readonly title: string;
  readonly what: string;
  readonly how: string;
  readonly where: string;
  readonly api: string;
  readonly apiNote: string;
  readonly operations: string;
  readonly operationsNote: string;
  readonly documents: string;
  readonly documentsNote: string;
}

const texts: Readonly<Record<Language, Texts>> = {
  nl: {
    title: 'Radiologie van ziekenhuis naar ziekenhuis',
    what: 'Dit is een Sluis-uitwisseling. Zij brengt onderzoeken en verslagen van het ene ziekenhuis naar het andere: hervatbaar, in het tempo van de ontvanger, en byte voor byte zoals ze verzonden zijn.',
    how: 'Op deze pagina is niets van patiënten te zien. Versturen en ophalen gaat met een PACS, een gateway of de opdracht sluis, en met een sleutel die de beheerder uitgeeft.',
    where: 'Waar vindt u wat',
    api: 'De API',
    apiNote: 'beschrijving in OpenAPI 3.1',
    operations: 'Metingen en gezondheid',
    operationsNote: 'alleen bereikbaar vanaf het beheernetwerk',
    documents: 'Documenten',
    documentsNote: 'README.md naast het programma; elke opdracht legt zichzelf uit met --help',
  },
  en: {
    title: 'Radiology from hospital to hospital',
    what: 'This is a Sluis exchange. It moves studies and reports from one hospital to another: resumably, at the pace of the receiver, and byte for byte as they were sent.',
    how: 'Nothing of patients can be seen on this page. Sending and receiving is done by a PACS, a gateway or the command sluis, with a key that the operator hands out.',
    where: 'Where to find what',
    api: 'The API',
    apiNote: 'described in OpenAPI 3.1',
    operations: 'Metrics and health',
    operationsNote: 'only reachable from the network of the operators',
    documents: 'Documents',
    documentsNote: 'README.md beside the program; every command explains itself with --help',
  },
};

const names: Readonly<Record<Language, string>> = { nl: 'Nederlands', en: 'English' };

/** One static page in Dutch and English, without script; what `landingHeaders` allows and nothing more. */
export function landing({ version, ops, language }: Landing): string {
  const base = usable(addressOf(ops));
  const order: readonly Language[] = language === 'nl' ? ['nl', 'en'] : ['en', 'nl'];
  const links = order
    .map((one) => `<a href="#${one}" lang="${one}" hreflang="${one}">${names[one]}</a>`)
    .join('');
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluis: ${escaped(texts[language].title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Sluis</h1>
<nav aria-label="${language === 'nl' ? 'Taal' : 'Language'}">${links}</nav>
</header>
<main>
${order.map((one) => section(one, base)).join('\n')}
</main>
<footer><p>Sluis ${escaped(version)}</p></footer>
</body>
</html>
`;
}

/** RFC 3986, 3.2.2: an IPv6 address stands in brackets. */
function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port.toString()}`;
}

/** Listening on all addresses or on a port still to be chosen names no address that a browser can open. */
function usable(address: string): URL | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url === undefined || url.port === '0' || ['0.0.0.0', '[::]'].includes(url.hostname)
    ? undefined
    : url;
}

function section(language: Language, ops: URL | undefined): string {
  const text = texts[language];
  const links = ['/metrics', '/readyz'].map((path) =>
    ops === undefined ? path : `<a href="${escaped(new URL(path, ops).href)}">${path}</a>`,
  );
  return `<section lang="${language}" id="${language}" aria-labelledby="${language}-title">
<h2 id="${language}-title">${escaped(text.title)}</h2>
<p>${escaped(text.what)}</p>
<p>${escaped(text.how)}</p>
<h3>${escaped(text.where)}</h3>
<dl>
<dt>${escaped(text.api)}</dt><dd><a href="/openapi.json">/openapi.json</a>, ${escaped(text.apiNote)}</dd>
<dt>${escaped(text.operations)}</dt><dd>${links.join(', ')}, ${escaped(text.operationsNote)}</dd>
<dt>${escaped(text.documents)}</dt><dd>${escaped(text.documentsNote)}</dd>
</dl>
</section>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? '');
}

/** An Accept-Language header is some dozens of characters; more is not looked at. */
const ACCEPT_CHARACTERS_MAX = 256;

/** What an Accept-Language header prefers (RFC 9110, 12.5.4); Dutch where it says neither. */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  const ranges = (acceptLanguage ?? '').slice(0, ACCEPT_CHARACTERS_MAX).toLowerCase().split(',');
  let best: { readonly language: Language; readonly weight: number } = { language: 'nl', weight: 0 };
  for (const range of ranges) {
    const [tag = '', ...parameters] = range.split(';').map((part) => part.trim());
    const primary = tag.split('-', 1)[0];
    if (primary !== 'nl' && primary !== 'en') continue;
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    if (weight > best.weight) best = { language: primary, weight };
  }
  return best.language;
}
