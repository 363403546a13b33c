import type { Answer } from './answer.ts';
import { deviates } from './check.ts';

const quoted = (value: string | undefined): string => (value === undefined ? 'none' : JSON.stringify(value));

/** The answer has one of these statuses. */
export function expectStatus(answer: Answer, ...statuses: readonly number[]): Answer {
  if (!statuses.includes(answer.status))
    deviates(`${answer.asked} answered ${String(answer.status)}, not ${statuses.join(' or ')}`);
  return answer;
}

/** The answer refuses: 4xx. A 5xx says that the server broke, not that the request was wrong. */
export function expectRefusal(answer: Answer): Answer {
  if (answer.status < 400 || answer.status > 499)
    deviates(`${answer.asked} answered ${String(answer.status)}, not 4xx`);
  return answer;
}

export function expectHeader(answer: Answer, name: string, value: string | RegExp): string {
  const given = answer.header(name);
  const isRight = given !== undefined && (typeof value === 'string' ? given === value : value.test(given));
  if (given === undefined || !isRight) {
    const wanted = typeof value === 'string' ? `, not ${quoted(value)}` : '';
    deviates(`${answer.asked} answered ${String(answer.status)} with ${name} ${quoted(given)}${wanted}`);
  }
  return given;
}

export function expectNoHeader(answer: Answer, name: string): void {
  const given = answer.header(name);
  if (given !== undefined)
    deviates(
      `${answer.asked} answered ${String(answer.status)} with ${name} ${quoted(given)}, not without it`,
    );
}
