import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export type Issued = { readonly cert: string; readonly key: string };
export type Authority = Issued & { readonly issue: (leaf: Leaf) => Issued };
type Leaf = {
  /** DNS names; an empty list is allowed. */
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
};

/** A certificate authority for one test: X.509 written by hand, so that no tool needs to be installed. */
export const createAuthority = (name = 'Test authority'): Authority => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const cert = certificate({ subject: name, issuer: name, publicKey, signer: privateKey, isAuthority: true });
  return {
    cert,
    key: pemOf(privateKey),
    issue: (leaf) => {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const request = { ...leaf, subject: 'receiver', issuer: name, publicKey: pair.publicKey, signer: privateKey };
      return { cert: certificate({ ...request, isAuthority: false }), key: pemOf(pair.privateKey) };
    },
  };
};

export const selfSigned = (leaf: Leaf): Issued => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const names = { ...leaf, subject: 'receiver', issuer: 'receiver' };
  return { cert: certificate({ ...names, publicKey, signer: privateKey, isAuthority: false }), key: pemOf(privateKey) };
};

type CertificateRequest = Leaf & {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly isAuthority: boolean;
};
const DAY_MS = 86_400_000;

/** RFC 5280, section 4.1, as far as a TLS client looks. */
const certificate = (request: CertificateRequest): string => {
  const { subject, issuer, publicKey, signer, isAuthority } = request;
  const from = request.notBefore ?? new Date(Date.now() - DAY_MS);
  const to = request.notAfter ?? new Date(Date.now() + DAY_MS);
  const extensions = isAuthority ? [basicConstraints] : [alternativeNames(request)];
  const signed = sequence(
    tlv(0xa0, integer(Buffer.from([2]))), // Version 3.
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    nameOf(issuer),
    sequence(generalizedTime(from), generalizedTime(to)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = tlv(0x03, Buffer.from([0]), sign('sha256', signed, signer));
  const base64 = sequence(signed, ECDSA_WITH_SHA256, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`;
};

const tlv = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...parts: readonly Buffer[]): Buffer => tlv(0x30, ...parts);
const integer = (bytes: Buffer): Buffer => tlv(0x02, bytes);
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'));
const generalizedTime = (date: Date): Buffer =>
  tlv(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\..*/g, '')}Z`));
const nameOf = (text: string): Buffer => sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(text))))); // Common name.
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'));
const YES = tlv(0x01, Buffer.from([255]));
const basicConstraints = sequence(oid('551d13'), YES, tlv(0x04, sequence(YES)));
const alternativeNames = ({ names = [], addresses = [] }: Leaf): Buffer => {
  const entries = [
    ...names.map((name) => tlv(0x82, Buffer.from(name))),
    ...addresses.map((address) => tlv(0x87, Buffer.from(address.split('.').map(Number)))),
  ];
  return sequence(oid('551d11'), tlv(0x04, sequence(...entries)));
};
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
