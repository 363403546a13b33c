/** dcmjs ships no types; this is the part that is used. */
declare module 'dcmjs' {
  interface DicomDict {
    upsertTag(tag: string, vr: string, values: readonly unknown[]): void;
    write(): ArrayBuffer;
  }
  const dcmjs: { readonly data: { readonly DicomMessage: { readFile(bytes: ArrayBuffer): DicomDict } } };
  export default dcmjs;
}
