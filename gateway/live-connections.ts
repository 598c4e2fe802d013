import type { TLSSocket } from "node:tls";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import type { Peer } from "./peer.ts";

/** The open connections by certificate, so that a decision can end them. */
export type LiveConnections = {
  add(socket: TLSSocket, peer: Peer): void;
  peerOf(socket: TLSSocket): Peer | undefined;
  /** The certificates that are connected: all, or the one with this fingerprint. */
  leaves(fingerprint: string | null): CertificateFacts[];
  cut(fingerprint: string): void;
};

export function createLiveConnections(): LiveConnections {
  const peers = new WeakMap<TLSSocket, Peer>();
  const byFingerprint = new Map<string, { leaf: CertificateFacts; sockets: Set<TLSSocket> }>();
  return {
    add(socket, peer) {
      peers.set(socket, peer);
      const { leaf } = peer;
      if (leaf === null || leaf === "malformed") return;
      const entry = byFingerprint.get(leaf.fingerprint) ?? { leaf, sockets: new Set() };
      byFingerprint.set(leaf.fingerprint, entry);
      entry.sockets.add(socket);
      socket.once("close", () => {
        entry.sockets.delete(socket);
        if (entry.sockets.size === 0 && byFingerprint.get(leaf.fingerprint) === entry) {
          byFingerprint.delete(leaf.fingerprint);
        }
      });
    },
    peerOf: (socket) => peers.get(socket),
    leaves(fingerprint) {
      if (fingerprint === null) return [...byFingerprint.values()].map(({ leaf }) => leaf);
      const entry = byFingerprint.get(fingerprint);
      return entry === undefined ? [] : [entry.leaf];
    },
    cut(fingerprint) {
      for (const socket of byFingerprint.get(fingerprint)?.sockets ?? []) socket.destroy();
    },
  };
}
