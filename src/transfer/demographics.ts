import type { KeyRing } from '../access/key-ring.ts';
import type { Identity } from '../dicom/identity.ts';
import type { DemographicMacs } from '../state/records.ts';
import { nameFormsMax, nameWordsMax } from './limits.ts';

/** Hexadecimal digits of a MAC that are kept: 64 bits tell the few names of one transfer apart. */
const macCharacters = 16;

/** What an object says of its patient beside his id, in a form that can only be compared; null for nothing. */
export function demographicMacs(keyRing: KeyRing, identity: Identity): DemographicMacs | null {
  const mac = (of: string, value: string): string =>
    keyRing.mac('demographics', `${of}\0${value}`).slice(0, macCharacters);
  const birthDate = birthDateOf(identity.patientBirthDate);
  const sex = /^[MF]$/.test(identity.patientSex) ? identity.patientSex : null;
  const names = wordsOf(identity.patientName);
  if (birthDate === null && sex === null && names.length === 0) {
    return null;
  }
  return {
    birthDate: birthDate === null ? null : mac('birth date', birthDate),
    sex: sex === null ? null : mac('sex', sex),
    names: names.map((word) => mac('name', word)),
  };
}

/** DA as PS3.5 has it, or with the dots of its first edition; null for what is no full date. */
function birthDateOf(text: string): string | null {
  const digits = text.replaceAll('.', '');
  return /^[0-9]{8}$/.test(digits) && digits !== '00000000' ? digits : null;
}

/** The words of all components and component groups, without case and diacritics; initials say too little. */
function wordsOf(name: string): string[] {
  const folded = name.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase();
  return [...new Set(folded.match(/\p{L}{2,}/gu))].slice(0, nameWordsMax);
}

/**
 * What the objects of one patient say of him, one after the other. Names differ when two of them share no
 * word: a name gained at a wedding, or spelled otherwise in part, is still that patient's.
 */
export class Demographics {
  #birthDate: string | null = null;
  #sex: string | null = null;
  readonly #names = new Map<string, readonly string[]>();

  /** True when this contradicts what came before. What is not given contradicts nothing. */
  differs({ birthDate, sex, names }: DemographicMacs): boolean {
    const isOther =
      (birthDate !== null && this.#birthDate !== null && birthDate !== this.#birthDate) ||
      (sex !== null && this.#sex !== null && sex !== this.#sex);
    this.#birthDate ??= birthDate;
    this.#sex ??= sex;
    return this.#nameDiffers(names) || isOther;
  }

  #nameDiffers(names: readonly string[]): boolean {
    const form = names.join();
    if (names.length === 0 || this.#names.has(form)) {
      return false;
    }
    const isOther = [...this.#names.values()].some((known) => !names.some((word) => known.includes(word)));
    if (this.#names.size < nameFormsMax) {
      this.#names.set(form, names);
    }
    return isOther;
  }
}
