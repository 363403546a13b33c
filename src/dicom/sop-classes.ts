/** Media Storage Directory: holds offsets into itself and no patient module, so no edit may move its bytes. */
export const DICOMDIR = '1.2.840.10008.1.3.10';
