import { useMutation } from "@tanstack/react-query";
import type { AddAllowlistEntry, AllowlistEntry, AllowlistImport } from "#lib/contracts/console/allowlist.ts";
import type {
  ApproveMany,
  BatchReply,
  CertificateFilter,
  CertificateMatches,
  RejectMany,
  RevokeMany,
  Selection,
} from "#lib/contracts/console/certificate-batches.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import { call } from "./fetcher.ts";
import { keys, type ListParams } from "./keys.ts";
import { useRefresh } from "./mutations.ts";

/* Who may come in: decisions about certificates, and the allowlist. */

const AT_ONCE = 200;
const post = <T>(path: string, body: unknown) => call<T>("POST", path, { body });

/** The ticked ones, or all that match a filter, whose number the person saw. */
export type Chosen =
  | { readonly fingerprints: readonly string[] }
  | { readonly matching: CertificateFilter; readonly expected: number };

/** How a decision about several ended. */
export type Batch = { done: number; failed: BatchReply["failed"] };

export function useApproveCertificates() {
  return useBatch<Omit<ApproveMany, "selection">>("approve-many");
}

export function useRejectCertificates() {
  return useBatch<Omit<RejectMany, "selection">>("reject-many");
}

export function useRevokeCertificates() {
  return useBatch<Omit<RevokeMany, "selection">>("revoke-many");
}

export function useHoldCertificate(fingerprint: string) {
  return useTurn(`/api/v1/certificates/${encodeURIComponent(fingerprint)}/hold`);
}

export function useReleaseCertificate(fingerprint: string) {
  return useTurn(`/api/v1/certificates/${encodeURIComponent(fingerprint)}/release`);
}

/** Asks only: nothing is decided. */
export function useMatchCertificates() {
  return useMutation({
    mutationFn: (fingerprints: readonly string[]) =>
      post<CertificateMatches>("/api/v1/certificates/matches", { fingerprints }),
  });
}

export function listAllowlist(query: ListParams, signal: AbortSignal): Promise<Page<AllowlistEntry>> {
  return call("GET", "/api/v1/allowlist", { query, signal });
}

export function useAddAllowlistEntry() {
  const refresh = useRefresh(keys.certificates.all, keys.refusals.all, keys.devices.all);
  const onError = useRefresh(keys.deviceGroups.all);
  return useMutation({
    mutationFn: (body: AddAllowlistEntry) =>
      post<{ entry: AllowlistEntry; approved: string | null }>("/api/v1/allowlist", body),
    onSuccess: refresh,
    // Perhaps the group it names is gone.
    onError,
  });
}

export function useRemoveAllowlistEntry() {
  const refresh = useRefresh(keys.certificates.all);
  return useMutation({
    mutationFn: (id: string) => call<object>("DELETE", `/api/v1/allowlist/${encodeURIComponent(id)}`),
    onSuccess: refresh,
  });
}

export function useImportAllowlist() {
  const refresh = useRefresh(keys.certificates.all);
  return useMutation({
    mutationFn: ({ file, dryRun }: { file: Blob; dryRun: boolean }) =>
      call<AllowlistImport>("POST", "/api/v1/allowlist/import", {
        query: { dryRun },
        raw: { contentType: "text/csv", content: file },
      }),
    onSuccess: ({ imported }) => (imported ? refresh() : undefined),
  });
}

function useTurn(path: string) {
  const refresh = useRefresh(keys.certificates.all, keys.devices.all);
  return useMutation({ mutationFn: (body: { note?: string }) => post<Certificate>(path, body), onSuccess: refresh });
}

function useBatch<D extends object>(act: "approve-many" | "reject-many" | "revoke-many") {
  const refresh = useRefresh(keys.certificates.all, keys.devices.all);
  return useMutation({
    mutationFn: ({ chosen, ...decision }: { chosen: Chosen } & D) =>
      inBatches(chosen, (selection) => post<BatchReply>(`/api/v1/certificates/${act}`, { ...decision, selection })),
    onSettled: refresh,
  });
}

async function inBatches(chosen: Chosen, send: (selection: Selection) => Promise<BatchReply>): Promise<Batch> {
  const batch: Batch = { done: 0, failed: [] };
  const take = async (selection: Selection) => {
    const { done, failed, nextCursor } = await send(selection);
    batch.done += done;
    batch.failed.push(...failed);
    return nextCursor;
  };
  if ("fingerprints" in chosen) {
    for (let from = 0; from < chosen.fingerprints.length; from += AT_ONCE)
      await take({ fingerprints: chosen.fingerprints.slice(from, from + AT_ONCE) });
    return batch;
  }
  let cursor = await take(chosen);
  while (cursor !== null) cursor = await take({ ...chosen, cursor });
  return batch;
}
