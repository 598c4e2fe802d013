/** Mender's face to the other areas and processes; README.md says what it guarantees. */
export { type MenderCtx, requireMender } from "./ctx.ts";
export { identityDigest, keyDigest } from "./keys.ts";
export { type Attempt, listMenderLog, logOutcome, pruneMenderLog } from "./log.ts";
export { acceptPending, type Preauthorization, preauthorize } from "./preauthorize.ts";
export { noteAccepted, type Proven } from "./record.ts";
export { rejectRevoked } from "./reject.ts";
export { getMender, getMenderDevice } from "./report.ts";
export { syncMender } from "./sync.ts";
export { judgeDeviceToken, type TokenHolder } from "./token-holder.ts";
