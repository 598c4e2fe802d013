import https from "node:https";
import { getCACertificates } from "node:tls";
import type { Ctx } from "#lib/ctx.ts";
import { loadDoorRootPem } from "#services/authorities/service.ts";
import type { CheckOutcome } from "#services/header-mode/service.ts";
import type { Decoys } from "./decoys.ts";
import { CERTIFICATE_HEADERS, TEXT_HEADERS } from "./proxied-request.ts";

export type Found = Pick<CheckOutcome, "verdict" | "detail">;

type Answered = { readonly nonce: string; readonly spelling: Spelling; readonly status: number | string };
type Spelling = (typeof SPELLINGS)[number];

/** As they are read; as some servers turn into that; in capitals and twice. */
const SPELLINGS = ["plain", "underscores", "capitals, twice"] as const;
const ANSWER_WITHIN_MS = 10_000;
const HEARD_WITHIN_MS = 3_000;
const LOOK_AGAIN_MS = 20;

/**
 * Comes to the proxy's public address as a stranger would who forges every header that the decision port reads, without a client
 * certificate and with one of nobody's, and looks at what arrives here.
 *
 * It passes only when the proxy was seen to ask about such a request, what was forged had gone, and the refusal was obeyed. A forged
 * header that does arrive is reported by the gateway that sees it (`HeaderMode.sawForged`).
 *
 * @param it.seen what any gateway saw of the request with this nonce
 */
export async function checkProxy(
  ctx: Ctx,
  it: { publicUrl: string; decoys: Decoys; seen: (nonce: string) => "clean" | "forged" | undefined },
): Promise<Found> {
  const visitor = await it.decoys.visitor();
  const ca = [...getCACertificates("default"), await loadDoorRootPem(ctx)];
  const identities = [{}, { cert: visitor.certificatePem, key: visitor.privateKeyPem }];
  const answers = await Promise.all(
    SPELLINGS.flatMap((spelling) =>
      identities.map(async (identity): Promise<Answered> => {
        const { nonce, path, text } = it.decoys.mark();
        const headers = spelled(forgedHeaders(it.decoys.certificateHeader, text), spelling);
        const status = await ask(`${it.publicUrl}${path}`, { headers, ca, ...identity });
        return { nonce, spelling, status };
      }),
    ),
  );
  const heard = () => answers.filter(({ nonce, spelling }) => spelling === "plain" && it.seen(nonce) !== undefined);
  const deadline = performance.now() + HEARD_WITHIN_MS;
  while (
    heard().length === 0 &&
    performance.now() < deadline &&
    answers.some(({ status }) => typeof status === "number")
  ) {
    await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
  }
  return judge(answers, it.seen, heard().length > 0);
}

function judge(
  answers: readonly Answered[],
  seen: (nonce: string) => "clean" | "forged" | undefined,
  isHeard: boolean,
): Found {
  if (answers.some(({ nonce }) => seen(nonce) === "forged")) {
    return { verdict: "failed", detail: "The proxy passes on forged headers as a client sends them." };
  }
  const letIn = answers.find(
    ({ nonce, status }) => seen(nonce) === "clean" && typeof status === "number" && status >= 200 && status < 300,
  );
  if (letIn !== undefined) {
    const detail = `The proxy answered ${letIn.status} to a request that was refused here: it does not obey the decision.`;
    return { verdict: "failed", detail };
  }
  if (isHeard)
    return { verdict: "passed", detail: "Forged headers did not get through the proxy, and its refusal was obeyed." };
  const [first] = answers;
  const status = first?.status ?? "nothing";
  if (typeof status === "string") {
    return { verdict: "inconclusive", detail: `The public address could not be reached: ${status}.` };
  }
  const detail = `The public address answered ${status}, but its proxy did not ask here. Let requests without a certificate come to the question too (ssl_verify_client optional or optional_no_ca), with x-original-uri or x-original-url.`;
  return { verdict: "inconclusive", detail };
}

function forgedHeaders(certificate: string, text: string): Record<string, string> {
  const certificates = CERTIFICATE_HEADERS.map((name) => [name, certificate]);
  const texts = TEXT_HEADERS.map((name) => [name, name === "x-original-uri" ? `/${text}` : text]);
  return Object.fromEntries([...certificates, ...texts, ["ssl-client-verify", "SUCCESS"]]);
}

function spelled(headers: Readonly<Record<string, string>>, spelling: Spelling): Record<string, string | string[]> {
  const entries = Object.entries(headers);
  switch (spelling) {
    case "plain":
      return headers;
    case "underscores":
      return Object.fromEntries(entries.map(([name, value]) => [name.replaceAll("-", "_"), value]));
    case "capitals, twice":
      return Object.fromEntries(entries.map(([name, value]) => [name.toUpperCase(), [value, value]]));
  }
}

/** The status, or what went wrong before there was one. */
function ask(url: string, options: https.RequestOptions): Promise<number | string> {
  return new Promise((done) => {
    const req = https.request(url, { ...options, agent: false, timeout: ANSWER_WITHIN_MS }, (res) => {
      res.resume();
      done(res.statusCode ?? 0);
    });
    req.on("timeout", () => req.destroy(new Error("no answer in time")));
    req.on("error", (err) => done("code" in err && typeof err.code === "string" ? err.code : err.message));
    req.end();
  });
}
