/** Why something that was sent goes to no receiver. */
export type SetAside =
  | 'viewer'
  | 'system-file'
  | 'directory-record'
  | 'picture'
  | 'archive'
  | 'document'
  | 'empty'
  | 'unknown';

/** What the sender reads, beside the name that he gave it. */
export const setAsideText: Readonly<Record<SetAside, { readonly en: string; readonly nl: string }>> = {
  viewer: {
    en: 'part of a program to look at images; receivers have their own',
    nl: 'onderdeel van een programma om beelden te bekijken; ontvangers hebben er zelf een',
  },
  'system-file': {
    en: 'left there by the operating system; holds nothing of the patient',
    nl: 'achtergelaten door het besturingssysteem; bevat niets van de patiënt',
  },
  'directory-record': {
    en: 'a DICOMDIR: the table of contents of a disc, which is wrong for what is sent from here',
    nl: 'een DICOMDIR: de inhoudsopgave van een schijf, die niet klopt voor wat hiervandaan wordt verstuurd',
  },
  picture: {
    en: 'a picture or a film that is not DICOM; send it as a DICOM instance',
    nl: 'een plaatje of filmpje dat geen DICOM is; verstuur het als DICOM-instantie',
  },
  archive: {
    en: 'an archive inside the archive; it is not opened, send its content by itself',
    nl: 'een archief in het archief; dat wordt niet geopend, verstuur de inhoud apart',
  },
  document: {
    en: 'a document of a kind that is not taken; send reports as PDF, CDA or plain text (.txt)',
    nl: 'een document van een soort die niet wordt aangenomen; verstuur verslagen als pdf, CDA of platte tekst (.txt)',
  },
  empty: {
    en: 'a file without content',
    nl: 'een bestand zonder inhoud',
  },
  unknown: {
    en: 'neither DICOM nor a report, and nothing else that is known here',
    nl: 'geen DICOM en geen verslag, en ook niets anders dat hier bekend is',
  },
};
