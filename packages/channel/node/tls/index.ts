/** Attested TLS 1.3 for Node: connections between services that prove by hardware what they are. */
export { connectAttestedTls, type AttestedConnection, type ConnectAttestedTlsOptions } from './connect.ts';
export { exporterDigestOf, type TlsPeer } from './exchange.ts';
export { bareCertificate, createTlsKey, pemOf, type TlsKey } from './certificate.ts';
export {
  createTlsIdentity,
  type CollectTlsEvidence,
  type TlsCertificate,
  type TlsIdentity,
  type TlsIdentityOptions,
} from './identity.ts';
export { keepCertificate } from './keep-certificate.ts';
export { listenAttestedTls, type AttestedListener, type ListenAttestedTlsOptions } from './listen.ts';
