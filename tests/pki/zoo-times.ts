import { element, extension, generalizedTime, sequence } from "#lib/pki/der-writer.ts";
import {
  AUTHORITY,
  basicConstraints,
  CLIENT_AUTH,
  craft,
  daysFromNow,
  extendedKeyUsage,
  keyUsage,
  USAGE,
} from "./crafted.ts";
import type { ZooKind } from "./zoo.ts";

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const ANY_USAGE = "2.5.29.37.0";
const utcTime = (text: string) => element(0x17, Buffer.from(text));
const general = (text: string) => element(0x18, Buffer.from(text));
const CLIENT = extendedKeyUsage(CLIENT_AUTH);

/** Validity and usage. */
export const TIME_AND_USAGE_KINDS: readonly ZooKind[] = [
  { kind: "no certificate", make: () => null, decision: "no_certificate" },
  { kind: "as it should be", make: (ca) => craft(ca), decision: "let in" },
  {
    kind: "expired since yesterday",
    make: (ca) => craft(ca, { notBefore: daysFromNow(-2), notAfter: daysFromNow(-1) }),
    decision: "expired",
    nginx: "nginx: 400",
  },
  {
    kind: "valid from tomorrow",
    make: (ca) => craft(ca, { notBefore: daysFromNow(1) }),
    decision: "not_yet_valid",
    nginx: "nginx: 400",
  },
  {
    kind: "ends before it begins",
    make: (ca) => craft(ca, { notBefore: daysFromNow(-1), notAfter: daysFromNow(-2) }),
    decision: "expired",
    nginx: "nginx: 400",
  },
  { kind: "for ever (9999)", make: (ca) => craft(ca, { notAfter: general("99991231235959Z") }), decision: "let in" },
  {
    kind: "UTCTime to the end of 2049",
    make: (ca) => craft(ca, { notAfter: utcTime("491231235959Z") }),
    decision: "let in",
  },
  {
    kind: "UTCTime of 1950, not 2050",
    make: (ca) => craft(ca, { notAfter: utcTime("500101000000Z") }),
    decision: "expired",
    nginx: "nginx: 400",
  },
  {
    kind: "GeneralizedTime in 2050",
    make: (ca) => craft(ca, { notAfter: general("20500101000000Z") }),
    decision: "let in",
  },
  {
    kind: "GeneralizedTime where UTCTime belongs",
    make: (ca) => craft(ca, { notAfter: generalizedTime(new Date(Date.now() + 86_400_000)) }),
    decision: "let in",
  },
  {
    kind: "a time without seconds",
    make: (ca) => craft(ca, { notAfter: utcTime("4901010000Z") }),
    decision: "malformed",
    door: "client: utctime_is_too_short",
    nginx: "client: utctime_is_too_short",
  },
  {
    kind: "a time with an offset",
    make: (ca) => craft(ca, { notAfter: utcTime("490101000000+0100") }),
    decision: "malformed",
    nginx: "nginx: 400",
  },
  {
    kind: "a day that does not exist",
    make: (ca) => craft(ca, { notAfter: utcTime("490231000000Z") }),
    decision: "malformed",
    nginx: "nginx: 400",
  },
  {
    kind: "for servers only",
    make: (ca) => craft(ca, { extensions: [extendedKeyUsage(SERVER_AUTH)] }),
    decision: "wrong_usage",
  },
  {
    kind: "for servers and clients",
    make: (ca) => craft(ca, { extensions: [extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH)] }),
    decision: "let in",
  },
  {
    kind: "for any purpose",
    make: (ca) => craft(ca, { extensions: [extendedKeyUsage(ANY_USAGE)] }),
    decision: "wrong_usage",
  },
  {
    kind: "for no purpose at all",
    make: (ca) => craft(ca, { extensions: [extension("2.5.29.37", sequence())] }),
    decision: "wrong_usage",
  },
  {
    kind: "no extended key usage",
    make: (ca) => craft(ca, { extensions: [keyUsage(USAGE.digitalSignature)] }),
    decision: "let in",
  },
  { kind: "no key usage", make: (ca) => craft(ca, { extensions: [CLIENT] }), decision: "let in" },
  {
    kind: "a key for encipherment only",
    make: (ca) => craft(ca, { extensions: [keyUsage(USAGE.keyEncipherment), CLIENT] }),
    decision: "wrong_usage",
  },
  {
    kind: "a key for signing certificates only",
    make: (ca) => craft(ca, { extensions: [keyUsage(USAGE.keyCertSign), CLIENT] }),
    decision: "wrong_usage",
  },
  {
    kind: "a key for everything, of no authority",
    make: (ca) => craft(ca, { extensions: [keyUsage(USAGE.digitalSignature | USAGE.keyCertSign), CLIENT] }),
    decision: "let in",
  },
  {
    kind: "an authority below ours, as a device",
    make: (ca) => craft(ca, { extensions: AUTHORITY }),
    decision: "wrong_usage",
  },
  {
    kind: "CA:TRUE beside a device's usages",
    make: (ca) => craft(ca, { extensions: [basicConstraints(true), keyUsage(USAGE.digitalSignature), CLIENT] }),
    decision: "wrong_usage",
  },
  {
    kind: "CA:FALSE said aloud",
    make: (ca) => craft(ca, { extensions: [basicConstraints(false), keyUsage(USAGE.digitalSignature), CLIENT] }),
    decision: "let in",
  },
];
