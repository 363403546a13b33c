/** Largest chunk that `read` yields; two such buffers per reader, allocated only as large as needed. */
export const readChunkBytes = 1024 * 1024;

/** Folders that objects are spread over, so that none holds more than some thousand names. */
export const bucketCount = 256;

/** Objects hold patients' images: the program's user alone may look. */
export const objectMode = 0o600;
export const folderMode = 0o700;
