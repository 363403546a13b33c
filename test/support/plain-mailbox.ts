/** What a mailbox gets that says nothing. */
export const plainWishes = {
  dialect: 'nl-2010',
  patientId: 'keep-with-issuer',
  nestedIdentity: 'keep-and-flag',
  srAsPdf: false,
  excludeSopClasses: [],
  excludeModalities: [],
} as const;
