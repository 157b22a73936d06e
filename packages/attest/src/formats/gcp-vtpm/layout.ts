/** Google's extension that says which instance an attestation key belongs to. */
export const INSTANCE_INFO_OID = '1.3.6.1.4.1.11129.2.1.21';

/** Characters of a name in that extension; project ids have 30 and instance names 63 at most. */
export const MAX_NAME = 128;
