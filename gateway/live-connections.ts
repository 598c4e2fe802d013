import type { TLSSocket } from "node:tls";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import type { Peer } from "./peer.ts";

/** The open connections by certificate, so that a decision can end them. */
export type LiveConnections = {
  add(socket: TLSSocket, peer: Peer): void;
  peerOf(socket: TLSSocket): Peer | undefined;
  /** Who is connected: all, or with this certificate. One entry a connection, for addresses count. */
  connected(fingerprint: string | null): Connected[];
};

export type Connected = { readonly leaf: CertificateFacts; readonly address: string; cut(): void };

export function createLiveConnections(): LiveConnections {
  const peers = new WeakMap<TLSSocket, Peer>();
  const byFingerprint = new Map<string, Map<TLSSocket, Connected>>();
  return {
    add(socket, peer) {
      peers.set(socket, peer);
      const { leaf, address } = peer;
      if (leaf === null || leaf === "malformed") return;
      const { fingerprint } = leaf;
      const sockets = byFingerprint.get(fingerprint) ?? new Map<TLSSocket, Connected>();
      byFingerprint.set(fingerprint, sockets);
      sockets.set(socket, { leaf, address, cut: () => socket.destroy() });
      socket.once("close", () => {
        sockets.delete(socket);
        if (sockets.size === 0 && byFingerprint.get(fingerprint) === sockets) byFingerprint.delete(fingerprint);
      });
    },
    peerOf: (socket) => peers.get(socket),
    connected(fingerprint) {
      if (fingerprint === null) return [...byFingerprint.values()].flatMap((sockets) => [...sockets.values()]);
      return [...(byFingerprint.get(fingerprint)?.values() ?? [])];
    },
  };
}
