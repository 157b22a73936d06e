/**
 * Fakes of the vendors' endorsement services: real HTTP servers on this machine that serve forged or recorded material and
 * fail in every way a service can. For tests alone.
 */
export { fakeKds, forgedKdsMaterial, type KdsMaterial } from './amd-kds.ts';
export type { FakeAnswer } from './answer.ts';
export type { ServiceFailure } from './failures.ts';
export { startFakeService, type FakeRoutes, type FakeService, type SeenRequest } from './fake-service.ts';
export { recordedFolder } from './folder.ts';
export { fakePcs, forgedPcsMaterial, type FakePcsOptions, type PcsMaterial } from './intel-pcs.ts';
export { fakeOcsp, fakeRim, forgedOcspResponder, type SeenOcspRequest } from './nvidia.ts';
export { fakeAzureThim, fakeDocuments } from './documents.ts';
