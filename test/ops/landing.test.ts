import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { landing, landingHeaders, preferredLanguage } from '../../src/ops/landing.ts';

const page = (language: 'nl' | 'en', version = '1.0.0') =>
  landing({ version, ops: { host: '127.0.0.1', port: 9090 }, language });

describe('the landing page', () => {
  it('holds both languages, each marked, the preferred one first', () => {
    for (const [first, second] of [
      ['nl', 'en'],
      ['en', 'nl'],
    ] as const) {
      const html = page(first);
      expect(html).toContain(`<html lang="${first}">`);
      expect(html.indexOf(`<section lang="${first}"`)).toBeGreaterThan(0);
      expect(html.indexOf(`<section lang="${first}"`)).toBeLessThan(
        html.indexOf(`<section lang="${second}"`),
      );
    }
  });

  it('says where the API and the metrics are', () => {
    expect(page('nl')).toContain('href="/openapi.json"');
    expect(page('nl')).toContain('href="http://127.0.0.1:9090/metrics"');
  });

  it.each([
    ['::1', 9090, 'http://[::1]:9090/metrics'],
    ['metrics.local', 80, 'http://metrics.local/metrics'],
  ])('links to the metrics on %s, port %i', (host, port, address) => {
    expect(landing({ version: '1', ops: { host, port }, language: 'nl' })).toContain(`href="${address}"`);
  });

  it.each([
    ['127.0.0.1', 0],
    ['0.0.0.0', 9090],
    ['::', 9090],
    ['no host', 9090],
  ])('links to no metrics on %s, port %i, which nobody can open', (host, port) => {
    const html = landing({ version: '1', ops: { host, port }, language: 'nl' });
    expect(html).toContain('/metrics, /readyz, ');
    expect(html).not.toContain('http');
  });

  it('holds exactly the style that its policy allows, and no script, inline style or outside address', () => {
    const html = page('en');
    const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(landingHeaders['content-security-policy']).toContain(`style-src 'sha256-${hash}'`);
    expect(html).not.toMatch(/<script|\sstyle=|\son[a-z]+=|src=/i);
    expect(html.match(/https?:\/\/[^/"]+/g)?.every((address) => address === 'http://127.0.0.1:9090')).toBe(
      true,
    );
  });

  it('escapes what it is told', () => {
    expect(page('en', '<b>"1"</b>')).toContain('Sluis &lt;b&gt;&quot;1&quot;&lt;/b&gt;');
  });

  it.each([
    [undefined, 'nl'],
    ['', 'nl'],
    ['en', 'en'],
    ['en-GB,en;q=0.9,nl;q=0.8', 'en'],
    ['en;q=0.3, nl-BE;q=0.7', 'nl'],
    ['de, fr', 'nl'],
    ['de, EN;q=0.1', 'en'],
    ['en;q=0', 'nl'],
    ['en;q=x;;,,nl', 'nl'],
  ] as const)('prefers for %j the language %s', (header, language) => {
    expect(preferredLanguage(header)).toBe(language);
  });

  it('looks at no more of a header than a browser sends', () => {
    expect(preferredLanguage(`${','.repeat(100_000)}en`)).toBe('nl');
  });
});
