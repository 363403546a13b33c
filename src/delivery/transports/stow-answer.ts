/** What a receiver said of the instances it was sent, by SOP Instance UID. */
export interface StowAnswer {
  readonly held: ReadonlyMap<string, 'held' | 'heldWithWarning'>;
  /** UID → failure reason (0008,1197) as the receiver gave it. */
  readonly refused: ReadonlyMap<string, string>;
}

const tag = {
  failedSopSequence: '00081198',
  referencedSopSequence: '00081199',
  referencedSopInstanceUid: '00081155',
  warningReason: '00081196',
  failureReason: '00081197',
} as const;

/**
 * Reads a Store Instances Response Module in the DICOM JSON Model (PS3.18 section 10.5.3.2 and annex I.2).
 *
 * It is read whatever the status is: servers answer 400 or 409 with some instances stored. Some give
 * numbers as strings, one object instead of an array, or an empty body: what can't be read confirms nothing.
 */
export function readStowAnswer(body: string): StowAnswer {
  const held = new Map<string, 'held' | 'heldWithWarning'>();
  const refused = new Map<string, string>();
  for (const dataset of datasets(parse(body))) {
    for (const item of items(dataset, tag.referencedSopSequence)) {
      const uid = firstValue(item, tag.referencedSopInstanceUid);
      if (uid !== undefined) {
        held.set(uid, firstValue(item, tag.warningReason) === undefined ? 'held' : 'heldWithWarning');
      }
    }
    for (const item of items(dataset, tag.failedSopSequence)) {
      const uid = firstValue(item, tag.referencedSopInstanceUid);
      if (uid !== undefined) {
        refused.set(uid, firstValue(item, tag.failureReason) ?? 'unknown');
      }
    }
  }
  for (const uid of refused.keys()) {
    // In both lists: an answer that contradicts itself says nothing of this instance.
    if (held.delete(uid)) {
      refused.delete(uid);
    }
  }
  return { held, refused };
}

/** SOP Instance UIDs (0008,0018) in a QIDO-RS answer; undefined for what is none: it says nothing. */
export function readQidoAnswer(body: string): Set<string> | undefined {
  const answer = parse(body);
  return isDataset(answer)
    ? new Set(datasets(answer).flatMap((dataset) => firstValue(dataset, '00080018') ?? []))
    : undefined;
}

/**
 * Failure reasons after which the instance is not refused for good (PS3.18 table I.2-2, PS3.4 table B.2-1):
 * out of resources; processing failure; none given.
 */
export function mayPass(failureReason: string): boolean {
  const code = codeOf(failureReason);
  return isOutOfResources(failureReason) || code === 0x0110 || Number.isNaN(code);
}

/** The receiver holds something under this UID already. */
export function isDuplicate(failureReason: string): boolean {
  return codeOf(failureReason) === 0x0111;
}

/** A full receiver says nothing of the instance: it may be asked for as long as it takes. */
export function isOutOfResources(failureReason: string): boolean {
  const code = codeOf(failureReason);
  return code >= 0xa700 && code <= 0xa7ff;
}

/** Some write the number as text: "42752", "0xA700" or "A700". */
function codeOf(failureReason: string): number {
  return /^[ACac][0-9A-Fa-f]{3}$/.test(failureReason)
    ? Number.parseInt(failureReason, 16)
    : Number(failureReason);
}

type Dataset = Readonly<Record<string, unknown>>;

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** One dataset, or several in an array; some servers answer one for each study. */
function datasets(value: unknown): Dataset[] {
  return (Array.isArray(value) ? value : [value]).filter(isDataset);
}

function isDataset(value: unknown): value is Dataset {
  return typeof value === 'object' && value !== null;
}

function values(dataset: Dataset, key: string): unknown[] {
  const element = dataset[key];
  if (typeof element !== 'object' || element === null || !('Value' in element)) {
    return [];
  }
  return Array.isArray(element.Value) ? element.Value : [element.Value];
}

function items(dataset: Dataset, key: string): Dataset[] {
  return values(dataset, key).filter(isDataset);
}

function firstValue(dataset: Dataset, key: string): string | undefined {
  const [value] = values(dataset, key);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
