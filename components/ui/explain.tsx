import type { ReactNode } from "react";

const TERMS = {
  ecu: "An ECU is one of the computers in a device. The primary talks to this server; it passes images on to the secondaries.",
  hardwareId: "The hardware id names a kind of computer. An image is installed only where its hardware id matches.",
  superseded: "Superseded: replaced by a newer certificate of the same device, so it is no longer used.",
  fingerprint:
    "The fingerprint is the SHA-256 of the certificate. Two certificates with the same fingerprint are the same certificate.",
  manifest: "A manifest is the device's own signed statement of what is installed on each of its ECUs.",
  digest: "The digest (SHA-256) identifies the bytes of an image. One changed bit gives another digest.",
  certificate: "A device shows its certificate at the door and proves with its private key that it is the one.",
  uptane:
    "Uptane metadata says which image a device should run, signed twice: by the director and by the image repository.",
  allowlist: "An allowed fingerprint comes through the door on its first visit, without waiting for a decision.",
  door: "The device door is the address that devices connect to, with mutual TLS.",
  serviceToken: "A service token belongs to no person. It stays when people leave, until it expires or is revoked.",
  correlationId:
    "The correlation id ties an update's assignment, events and reports together, from here to the device and back.",
} as const;

/** A term with its one-line explanation where it stands: on hover, on focus, and for screen readers. */
export function Explain({ term, children }: { term: keyof typeof TERMS; children: ReactNode }) {
  return (
    <button
      type="button"
      data-tip={TERMS[term]}
      className="cursor-help underline decoration-ink-4 decoration-dotted underline-offset-[3px]"
    >
      {children}
    </button>
  );
}
