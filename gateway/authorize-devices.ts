import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { secretsEqual } from "#lib/keys/master-key.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { findKnownCertificate } from "#services/identity/service.ts";
import { type Admission, decide, leaveTrace } from "./admission.ts";
import { createBoundedMap } from "./bounded-map.ts";
import type { Decoys } from "./decoys.ts";
import type { HeaderMode } from "./header-mode.ts";
import { isDownload, mapPath } from "./path-map.ts";
import type { Peer } from "./peer.ts";
import {
  CERTIFICATE_HEADERS,
  createLeafReader,
  type LeafReader,
  type ProxiedRequest,
  readProxiedRequest,
} from "./proxied-request.ts";
import { within } from "./within.ts";

export type DevicesAnswer = { readonly status: number; readonly headers: OutgoingHttpHeaders };
export type DevicesAuthority = (req: Pick<IncomingMessage, "headers" | "rawHeaders">) => Promise<DevicesAnswer>;

type Parts = {
  readonly admission: Admission;
  readonly decoys: Decoys;
  readonly mode: HeaderMode;
  readonly decisionSecret: string;
};

type Leaf = Extract<Peer["leaf"], { fingerprint: string }>;
type Judging = Parts & { readonly findLeaf: (fingerprint: string) => Promise<Leaf | null> };

const REMEMBERED_LEAVES = 5_000;
const LOOKUP_WITHIN_MS = 3_000;

/**
 * Answers a proxy that asks for every request of a device: the same decision as the device door's, with the same traces.
 *
 * `x-gatehouse-decision-secret` proves that a proxy of this install asks. Even then its headers count only while header mode is on
 * (services/header-mode). The certificate comes whole (`x-original-certificate` or, from an ingress controller, `ssl-client-cert`
 * with `ssl-client-verify`; PEM, URL-encoded), or as its SHA-256 (`x-original-fingerprint`), by which nobody comes in for the first
 * time.
 *
 * @returns 204 with who it is and, when the proxy told `x-original-uri`, where it goes: send the request on to exactly
 *   `x-gatehouse-path` of `x-gatehouse-upstream`; 401 without a certificate; 403 by decision; 503 when nobody can know, header mode is
 *   off or the secret is wrong: a device may take 401 and 403 for a verdict on itself, so they are that and nothing else. All but 204
 *   say why in `x-gatehouse-code` and `x-gatehouse-reason`
 */
export function createDevicesAuthority(parts: Parts): DevicesAuthority {
  const readLeaf = createLeafReader();
  const leaves = createBoundedMap<Leaf>(REMEMBERED_LEAVES);
  const { ctx } = parts.admission;
  const it: Judging = {
    ...parts,
    // What a fingerprint names never changes, so it is asked for once.
    async findLeaf(fingerprint) {
      const remembered = leaves.get(fingerprint);
      if (remembered !== undefined) return remembered;
      const der = await within(findKnownCertificate(ctx, fingerprint), LOOKUP_WITHIN_MS);
      if (der === null) return null;
      const leaf = parseCertificate(der);
      leaves.set(fingerprint, leaf);
      return leaf;
    },
  };
  return async (req) => {
    const asked = readProxiedRequest(req, readLeaf);
    if (!secretsEqual(asked.secret, it.decisionSecret)) {
      return refuse(503, "decision_secret_wrong", "The proxy did not show the secret of this install.");
    }
    const tested = await answerTest(it, asked, findForged(it.decoys, asked, readLeaf));
    if (tested !== null) return tested;
    const off = it.mode.whyOff();
    return off === null ? judge(it, asked) : refuse(503, "header_mode_off", off);
  };
}

/** A question of the test is answered for what it is, whether header mode is on or not; null for any other. */
async function answerTest(it: Judging, asked: ProxiedRequest, forged: Forged | null): Promise<DevicesAnswer | null> {
  const nonce = it.decoys.readAsked(asked.url);
  if (forged !== null) {
    await it.mode.sawForged(forged.header, nonce ?? forged.nonce);
    return refuse(503, "header_mode_off", "A forged header came through the proxy.");
  }
  if (nonce === null) return null;
  await it.mode.sawClean(nonce);
  return refuse(403, "header_check", "This is the test of the proxy; it is never let in.");
}

type Forged = { readonly header: string; readonly nonce: string | null };

function findForged(decoys: Decoys, { raw }: ProxiedRequest, readLeaf: LeafReader): Forged | null {
  const certificates: readonly string[] = CERTIFICATE_HEADERS;
  for (const { name: header, value } of raw) {
    if (certificates.includes(header)) {
      const leaf = readLeaf(value);
      if (leaf !== "malformed" && decoys.isForgedLeaf(leaf)) return { header, nonce: null };
    } else {
      const nonce = decoys.readForged(value);
      if (nonce !== null) return { header, nonce };
    }
  }
  return null;
}

async function judge(it: Judging, asked: ProxiedRequest): Promise<DevicesAnswer> {
  const { certificate, address } = asked;
  switch (certificate.as) {
    case "nonsense":
      return refuse(403, "not_proven", "The proxy's headers don't show one certificate whose key was proved.");
    case "fingerprint":
      return judgeKnown(it, asked, certificate.fingerprint);
    case "none":
      return answer(it, asked, await decide(it.admission, { leaf: null, address }));
    case "leaf":
      return answer(it, asked, await decide(it.admission, { leaf: certificate.leaf, address }));
  }
}

/** A fingerprint tells nothing that could be recorded of a newcomer. */
async function judgeKnown(it: Judging, asked: ProxiedRequest, fingerprint: string): Promise<DevicesAnswer> {
  const leaf = await it.findLeaf(fingerprint);
  if (leaf === null) {
    return refuse(403, "unknown_fingerprint", "No certificate with this fingerprint is known here; show it whole.");
  }
  const { admission } = it;
  const peer = { leaf, address: asked.address };
  const decision = await admission.book.decide(peer);
  if (decision?.admitted === true && decision.newcomer) {
    return refuse(403, "whole_certificate_needed", "The first visit needs the whole certificate.");
  }
  if (decision !== null) leaveTrace(admission, peer, decision);
  return answer(it, asked, decision);
}

function answer(it: Judging, asked: ProxiedRequest, decision: Awaited<ReturnType<typeof decide>>): DevicesAnswer {
  if (decision === null) {
    return refuse(503, "unavailable", "Who may come in can't be decided right now. Try again later.");
  }
  if (!decision.admitted) return refuse(decision.status, decision.code, decision.sentence);
  if (decision.canary)
    return refuse(403, "canary", "This certificate measures revocation at the door and opens nothing.");
  const { namespaceId } = it.admission.ctx;
  return {
    status: 204,
    headers: {
      "x-gatehouse-device": decision.deviceUuid,
      "x-gatehouse-device-id": encodeURIComponent(decision.deviceId),
      "x-ats-namespace": namespaceId,
      ...destinationOf(asked, decision.deviceUuid),
    },
  };
}

/** What the device door answers by itself, the decision port answers under these paths; see gateway/own-answers.ts. */
function destinationOf({ method, uri }: ProxiedRequest, deviceUuid: string): OutgoingHttpHeaders {
  if (uri === null) return {};
  const mapped = mapPath(method, uri, deviceUuid);
  const own = (path: string) => ({ "x-gatehouse-upstream": "gateway", "x-gatehouse-path": `/answers/${path}` });
  switch (mapped.to) {
    case "upstream":
      return { "x-gatehouse-upstream": mapped.destination.upstream, "x-gatehouse-path": mapped.destination.path };
    case "campaigns":
      return own("campaigns");
    case "nowhere":
      return own(`${isDownload(uri) ? "empty/" : ""}${mapped.status}`);
  }
}

function refuse(status: 401 | 403 | 503, code: string, reason: string): DevicesAnswer {
  return { status, headers: { "x-gatehouse-code": code, "x-gatehouse-reason": reason } };
}
