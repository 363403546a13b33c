import { broken } from './broken.ts';
import { oddElements } from './elements.ts';
import { oddFiles } from './files.ts';
import type { OddForm } from './form.ts';
import { oddPatients } from './patients.ts';
import { oddPixels } from './pixels.ts';
import { signed } from './signatures.ts';

/**
 * Every odd form that is known from the standard's corners or from real archives, each in a file of its own
 * with what is to become of it. The same bytes each time.
 */
export function oddForms(): OddForm[] {
  return [...oddFiles(), ...oddPatients(), ...oddElements(), ...oddPixels(), ...signed(), ...broken()];
}
