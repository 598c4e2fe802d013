/** What gateways and the console tell each other about header mode, as bare words on one channel. */
export type HeaderModeMessage =
  | { readonly kind: "changed" }
  | { readonly kind: "check" }
  | { readonly kind: "seen"; readonly nonce: string; readonly forged: boolean };

export function printMessage(message: HeaderModeMessage): string {
  return message.kind === "seen" ? `seen ${message.nonce} ${message.forged ? "forged" : "clean"}` : message.kind;
}

/** @returns null for anything else */
export function parseMessage(text: string): HeaderModeMessage | null {
  if (text === "changed" || text === "check") return { kind: text };
  const [word, nonce = "", how, ...rest] = text.split(" ");
  if (word !== "seen" || rest.length > 0 || (how !== "forged" && how !== "clean")) return null;
  return { kind: "seen", nonce, forged: how === "forged" };
}
