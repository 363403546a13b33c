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
  DEMOGRAPHICS_DIFFER: {
    effect: 'hold',
    owner: 'sender',
    en: 'Objects of one patient differ in name, date of birth or sex.',
    nl: 'Objecten van één patiënt verschillen in naam, geboortedatum of geslacht.',
    next: {
      en: 'Check whose objects they are, correct them at the source and send again.',
      nl: 'Controleer van wie de objecten zijn, herstel dat bij de bron en verzend opnieuw.',
    },
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
    en: 'An object ends too early, or holds fewer pixels than it says.',
    nl: 'Een object eindigt te vroeg, of bevat minder pixels dan het aangeeft.',
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
  CHECKSUM_DIFFERS: {
    effect: 'hold',
    owner: 'sender',
    en: 'A file in a ZIP was damaged: its bytes do not have the CRC-32 that the ZIP tells.',
    nl: 'Een bestand in een ZIP is beschadigd: de bytes hebben niet de CRC-32 die de ZIP noemt.',
    next: { en: 'Make the ZIP again and send it.', nl: 'Maak de ZIP opnieuw en verzend die.' },
  },
  REPORT_UNPLACED: {
    effect: 'hold',
    owner: 'sender',
    en: 'A report for a PACS does not tell which study it belongs to.',
    nl: 'Een verslag voor een PACS vermeldt niet bij welk onderzoek het hoort.',
    next: {
      en: 'Send it together with its study, or name the study.',
      nl: 'Verzend het samen met het onderzoek, of noem het onderzoek.',
    },
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
  INFLATED_TOO_LARGE: {
    effect: 'reject',
    owner: 'sender',
    en: 'A compressed object or file unpacks to more than this exchange takes.',
    nl: 'Een gecomprimeerd object of bestand wordt uitgepakt groter dan deze uitwisseling aanneemt.',
    next: { en: 'Send it uncompressed.', nl: 'Verzend het zonder compressie.' },
  },
  REPORT_UNREADABLE: {
    effect: 'reject',
    owner: 'sender',
    en: 'A report is not the kind of document that it is said to be, or it is damaged.',
    nl: 'Een verslag is niet het soort document dat het heet te zijn, of het is beschadigd.',
    next: { en: 'Export the report again and send it.', nl: 'Exporteer het verslag opnieuw en verzend het.' },
  },
  PACKAGE_BROKEN: {
    effect: 'reject',
    owner: 'sender',
    en: 'The upload is not a package of DICOM objects and reports.',
    nl: 'De upload is geen pakket met DICOM-objecten en verslagen.',
    next: {
      en: 'Upload multipart/related parts, a ZIP, one DICOM object or one report.',
      nl: 'Upload multipart/related-delen, een ZIP, één DICOM-object of één verslag.',
    },
  },
  LIMIT_EXCEEDED: {
    effect: 'reject',
    owner: 'sender',
    en: 'The transfer is larger than a limit of this exchange.',
    nl: 'De zending is groter dan een limiet van deze uitwisseling.',
    next: { en: 'Send it in several transfers.', nl: 'Verzend in meerdere zendingen.' },
  },
  REPORT_NOT_RENDERED: {
    effect: 'hold',
    owner: 'sender',
    en: 'A report cannot be made into a PDF, and a receiver takes it in no other form.',
    nl: 'Van een verslag kan geen pdf worden gemaakt, en een ontvanger neemt het in geen andere vorm aan.',
    next: { en: 'Send the report as a PDF.', nl: 'Verzend het verslag als pdf.' },
  },
  SR_NOT_RENDERED: {
    effect: 'flag',
    owner: 'receiver',
    en: 'A structured report could not be made into a PDF; it comes without one.',
    nl: 'Van een gestructureerd verslag kon geen pdf worden gemaakt; het komt zonder.',
    next: {
      en: 'Open the structured report, or ask the sender for the report as a PDF.',
      nl: 'Open het gestructureerde verslag, of vraag de verzender om het verslag als pdf.',
    },
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
  SIGNED_OBJECT: {
    effect: 'flag',
    owner: 'receiver',
    en: 'An object is digitally signed: it is delivered as it was sent, without the BSN written into it.',
    nl: 'Een object is digitaal ondertekend: het wordt afgeleverd zoals het is verzonden, zonder het BSN erin.',
    next: {
      en: 'File it by the BSN that the transfer names.',
      nl: 'Berg het op onder het BSN dat de zending noemt.',
    },
  },
  RECORD_IMPOSSIBLE: {
    effect: 'flag',
    owner: 'receiver',
    en: 'An object cannot hold a record of changed values: it is delivered as it was sent, without the BSN written into it.',
    nl: 'Een object kan gewijzigde waarden niet vastleggen: het wordt afgeleverd zoals het is verzonden, zonder het BSN erin.',
    next: {
      en: 'File it by the BSN that the transfer names.',
      nl: 'Berg het op onder het BSN dat de zending noemt.',
    },
  },
  SOP_CLASS_UNKNOWN: {
    effect: 'flag',
    owner: 'receiver',
    en: 'An object is of a private kind, or of one that this exchange does not know.',
    nl: 'Een object is van een fabrikanteigen soort, of van een soort die deze uitwisseling niet kent.',
    next: {
      en: 'Check that the receiving system takes it.',
      nl: 'Controleer of het ontvangende systeem het aanneemt.',
    },
  },
  CHARSET_UNKNOWN: {
    effect: 'flag',
    owner: 'sender',
    en: 'An object names a character set that DICOM does not have: names in it may be shown wrongly.',
    nl: 'Een object noemt een tekenset die DICOM niet kent: namen erin worden mogelijk verkeerd getoond.',
    next: { en: 'Check the source system.', nl: 'Controleer het bronsysteem.' },
  },
  UID_INVALID: {
    effect: 'flag',
    owner: 'sender',
    en: 'A UID of an object, its series or its study is missing or not written as DICOM has it.',
    nl: 'Een UID van een object, zijn serie of zijn onderzoek ontbreekt of is niet geschreven zoals DICOM voorschrijft.',
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
