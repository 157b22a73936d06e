/**
 * How far the clock of a signer may run ahead of a verifier's, milliseconds. A release is signed with the owner's time as
 * its `notBefore` and an approval with the approver's time as its `at`; both are often used within the same second. The
 * tolerance makes nothing last longer: a release ends at its `expires`, to the millisecond.
 */
export const clockToleranceMs = 5 * 60 * 1000;
