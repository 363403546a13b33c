interface JsonElement {
  readonly Value?: readonly unknown[];
}
type JsonDataset = Readonly<Record<string, JsonElement | undefined>>;

const REFERENCED_SOP_SEQUENCE = '00081199';
const REFERENCED_SOP_INSTANCE_UID = '00081155';

/**
 * The SOP Instance UIDs that a STOW-RS answer says are stored: (0008,1155) in (0008,1199) (PS3.18
 * section 10.5.3). Reads DICOM JSON and native DICOM XML; anything else confirms nothing.
 */
export function referencedSopInstanceUids(body: string): string[] {
  const trimmed = body.trimStart();
  if (trimmed.startsWith('<')) return fromXml(trimmed);
  try {
    const parsed: unknown = JSON.parse(trimmed);
    const dataset = Array.isArray(parsed) ? parsed[0] : parsed;
    return isDataset(dataset) ? fromJson(dataset) : [];
  } catch {
    return [];
  }
}

function fromJson(dataset: JsonDataset): string[] {
  const items = dataset[REFERENCED_SOP_SEQUENCE]?.Value ?? [];
  return items.flatMap((item) => {
    const uid = isDataset(item) ? item[REFERENCED_SOP_INSTANCE_UID]?.Value?.[0] : undefined;
    return typeof uid === 'string' ? [uid] : [];
  });
}

function isDataset(value: unknown): value is JsonDataset {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Walks the elements keeping the path of tags, so that (0008,1155) of the failed ones does not count. */
function fromXml(xml: string): string[] {
  const found: string[] = [];
  const path: string[] = [];
  const element =
    /<DicomAttribute\b[^>]*\btag="([0-9A-Fa-f]{8})"[^>]*?(\/?)>|<(\/)DicomAttribute>|<Value\b[^>]*>([^<]*)(?=<)/g;
  for (const [, tag, selfClosed, closed, value] of xml.matchAll(element)) {
    if (tag !== undefined && selfClosed === '') path.push(tag);
    else if (closed !== undefined) path.pop();
    else if (
      value !== undefined &&
      path.join() === `${REFERENCED_SOP_SEQUENCE},${REFERENCED_SOP_INSTANCE_UID}`
    ) {
      found.push(value.trim());
    }
  }
  return found;
}
