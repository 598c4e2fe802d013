/**
 * Who may import whom: the table of docs/ARCHITECTURE.md, section "Directions". The first rule whose `from` matches a file
 * applies. `to` names files without alias; a trailing `/` means everything below. Files beside the importing one are
 * always allowed; packages are open unless `packages` lists them.
 */
export interface Rule {
  readonly from: RegExp;
  readonly to: readonly RegExp[];
  readonly packages?: readonly RegExp[];
}

const CONSOLE_AREAS =
  "identity|authorities|enrolment|revocation|posture|mender|fleet|rollouts|accounts|audit|notifications|catalog|overview|simulations|backend-calls|verification|sync|settings|signing-keys|header-mode";
const CONSOLE_SERVICES = new RegExp(`^services/(${CONSOLE_AREAS})/service\\.ts$`);
const LIB = /^lib\//;
const PURE = /^lib\/(uptane|pki|domain|authz|errors|ostree)\//;

export const RULES: readonly Rule[] = [
  // The pure core: decisions without input or output.
  { from: /^lib\/pki\//, to: [PURE], packages: [/^node:(crypto|net)$/, /^@peculiar\/x509$/, /^reflect-metadata$/] },
  { from: /^lib\/uptane\//, to: [PURE], packages: [/^node:crypto$/, /^zod$/] },
  { from: /^lib\/ostree\//, to: [PURE], packages: [/^node:(crypto|zlib)$/] },
  { from: /^lib\/domain\//, to: [PURE, /^lib\/contracts\//], packages: [/^node:crypto$/, /^zod$/] },
  { from: /^lib\/authz\//, to: [PURE], packages: [/^node:crypto$/] },
  { from: /^lib\/errors\//, to: [/^lib\/errors\//], packages: [] },
  { from: /^lib\/contracts\//, to: [/^lib\/contracts\//, PURE], packages: [/^zod$/] },
  // What runs in the browser.
  { from: /^lib\/client\//, to: [/^lib\/(client|contracts|domain|authz)\//] },
  { from: /^components\//, to: [/^components\//, /^lib\/(contracts|client|domain|authz)\//] },
  // Shared infrastructure. Only what joins a session to a use case knows services.
  { from: /^lib\/((data|auth)\/|http\/proxy-route\.ts$)/, to: [LIB, CONSOLE_SERVICES] },
  { from: /^lib\/version\.ts$/, to: [/^package\.json$/] },
  { from: LIB, to: [LIB] },
  { from: /^(app\/|proxy\.ts$)/, to: [/^app\//, /^components\//, LIB, CONSOLE_SERVICES] },
  // The process of the embedded services mounts every area; areas see each other's service only.
  { from: /^services\/main\.ts$/, to: [LIB, /^services\/([^/]+\/(service|routes)|maintenance)\.ts$/] },
  { from: /^services\//, to: [LIB, /^services\/[^/]+\/service\.ts$/] },
  { from: /^gateway\//, to: [/^gateway\//, LIB, CONSOLE_SERVICES] },
  { from: /^worker\//, to: [/^worker\//, LIB, CONSOLE_SERVICES, /^device\//] },
  { from: /^device\//, to: [/^device\//, LIB] },
  { from: /^prisma\//, to: [/^prisma\//, LIB] },
  { from: /^cli\//, to: [/^cli\//, LIB, CONSOLE_SERVICES, /^prisma\//] },
  { from: /^(scripts|bench)\//, to: [/^(scripts|bench|cli|prisma|services|tests)\//, LIB] },
];

/** The only places that may load Prisma's client. */
export const PRISMA_HOMES: readonly RegExp[] = [
  /^lib\/db\//,
  /^services\/[^/]+\/([a-z-]+-)?store(-[a-z-]+)?\.ts$/,
  /^prisma\//,
];
export const PRISMA = /^(@prisma\/|prisma$|lib\/db\/generated\/)/;
