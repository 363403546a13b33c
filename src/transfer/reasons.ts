import type { Priority } from '../state/records.ts';

/** Who can do something about it. */
export type ReasonOwner = 'sender' | 'receiver' | 'operator';

/** What it does to a transfer: `reject` and `hold` stop it, `flag` travels along. */
export type ReasonEffect = 'reject' | 'hold' | 'flag';

export interface Reason {
  readonly effect: ReasonEffect;
  readonly owner: ReasonOwner;
  readonly en: string;
  readonly nl: string;
  /** What the owner does next. */
  readonly next: { readonly en: string; readonly nl: string };
}

/**
 * Every reason a transfer can be held, rejected or flagged for: one closed list, in Dutch and English,
 * without patient data.
 */
export const reasons = {
  BSN_CONFLICT: {
    effect: 'hold',
    owner: 'sender',
    en: 'Two different BSNs are given for this patient.',
    nl: 'Voor deze patiënt zijn twee verschillende BSN’s opgegeven.',
    next: {
      en: 'Correct the BSN at its source and send again.',
      nl: 'Herstel het BSN bij de bron en verzend opnieuw.',
    },
  },
  PATIENT_MIXED: {
    effect: 'hold',
    owner: 'sender',
    en: 'The objects are of more than one patient.',
    nl: 'De objecten zijn van meer dan één patiënt.',
    next: { en: 'Send one patient per transfer.', nl: 'Verzend één patiënt per zending.' },
  },
  DUPLICATE_DIFFERENT: {
    effect: 'hold',
    owner: 'sender',
    en: 'One SOP Instance UID came twice with different content.',
    nl: 'Eén SOP Instance UID kwam tweemaal met verschillende inhoud.',
    next: { en: 'Send only the right one.', nl: 'Verzend alleen het juiste object.' },
  },
  TRUNCATED: {
    effect: 'hold',
    owner: 'sender',
    en: 'An object ends before its last element is complete.',
    nl: 'Een object eindigt voordat het laatste element volledig is.',
    next: { en: 'Export the object again and send it.', nl: 'Exporteer het object opnieuw en verzend het.' },
  },
  SYNTAX_LIES: {
    effect: 'hold',
    owner: 'sender',
    en: 'The data is not encoded as its transfer syntax says.',
    nl: 'De gegevens zijn anders gecodeerd dan de transfer syntax aangeeft.',
    next: { en: 'Export the object again and send it.', nl: 'Exporteer het object opnieuw en verzend het.' },
  },
  NOT_LISTED: {
    effect: 'hold',
    owner: 'sender',
    en: 'An object came that the manifest does not list.',
    nl: 'Er kwam een object dat niet in het manifest staat.',
    next: { en: 'Send it in a transfer of its own.', nl: 'Verzend het in een eigen zending.' },
  },
  DIGEST_DIFFERS: {
    effect: 'hold',
    owner: 'sender',
    en: 'An object is not the one the manifest lists: its SHA-256 differs.',
    nl: 'Een object is niet het object uit het manifest: de SHA-256 verschilt.',
    next: { en: 'Send again from the source.', nl: 'Verzend opnieuw vanaf de bron.' },
  },
  INSPECTION_FAILED: {
    effect: 'hold',
    owner: 'operator',
    en: 'This exchange failed to inspect an object; nothing is known against it.',
    nl: 'Deze uitwisseling kon een object niet onderzoeken; er is niets op het object aan te merken.',
    next: {
      en: 'Look in the log of the exchange, then have it sent again.',
      nl: 'Bekijk het logboek van de uitwisseling en laat het opnieuw verzenden.',
    },
  },
  NOT_DICOM: {
    effect: 'reject',
    owner: 'sender',
    en: 'A file is not a DICOM object.',
    nl: 'Een bestand is geen DICOM-object.',
    next: { en: 'Send DICOM objects only.', nl: 'Verzend alleen DICOM-objecten.' },
  },
  UNREADABLE: {
    effect: 'reject',
    owner: 'sender',
    en: 'A DICOM object cannot be read: its structure is broken.',
    nl: 'Een DICOM-object is onleesbaar: de structuur is beschadigd.',
    next: { en: 'Export the object again and send it.', nl: 'Exporteer het object opnieuw en verzend het.' },
  },
  SYNTAX_UNSUPPORTED: {
    effect: 'reject',
    owner: 'sender',
    en: 'An object has a transfer syntax that is not supported yet.',
    nl: 'Een object heeft een transfer syntax die nog niet wordt ondersteund.',
    next: { en: 'Export it in another transfer syntax.', nl: 'Exporteer het in een andere transfer syntax.' },
  },
  PACKAGE_BROKEN: {
    effect: 'reject',
    owner: 'sender',
    en: 'The upload is not a package of DICOM objects.',
    nl: 'De upload is geen pakket met DICOM-objecten.',
    next: {
      en: 'Upload multipart/related parts or one DICOM object.',
      nl: 'Upload multipart/related-delen of één DICOM-object.',
    },
  },
  LIMIT_EXCEEDED: {
    effect: 'reject',
    owner: 'sender',
    en: 'The transfer is larger than a limit of this exchange.',
    nl: 'De zending is groter dan een limiet van deze uitwisseling.',
    next: { en: 'Send it in several transfers.', nl: 'Verzend in meerdere zendingen.' },
  },
  BSN_MISSING: {
    effect: 'flag',
    owner: 'sender',
    en: 'No BSN was found.',
    nl: 'Er is geen BSN gevonden.',
    next: { en: 'Give the BSN with the next transfer.', nl: 'Geef het BSN mee met de volgende zending.' },
  },
  BSN_INVALID: {
    effect: 'flag',
    owner: 'sender',
    en: 'A place that should hold a BSN holds something else.',
    nl: 'Op een plaats voor het BSN staat iets anders dan een BSN.',
    next: { en: 'Check the source system.', nl: 'Controleer het bronsysteem.' },
  },
  NESTED_IDENTITY: {
    effect: 'flag',
    owner: 'sender',
    en: 'An object holds another identity inside a sequence.',
    nl: 'Een object bevat een andere identiteit binnen een sequence.',
    next: { en: 'Check the source system.', nl: 'Controleer het bronsysteem.' },
  },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof reasons;

/**
 * For an acute transfer only these stop it; the others travel along. Of what could not be inspected nobody
 * knows the patient.
 */
const stopsAcute: ReadonlySet<string> = new Set<ReasonCode>([
  'BSN_CONFLICT',
  'PATIENT_MIXED',
  'INSPECTION_FAILED',
]);

/** What a reason does to a transfer of this priority. A rejected object can never be sent. */
export function effectOf(code: string, priority: Priority): ReasonEffect {
  const effect = Object.hasOwn(reasons, code) ? reasons[code as ReasonCode].effect : 'hold';
  return effect === 'hold' && priority === 'acute' && !stopsAcute.has(code) ? 'flag' : effect;
}
