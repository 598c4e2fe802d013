import * as accounts from "./accounts.ts";
import * as allowlist from "./allowlist.ts";
import * as audit from "./audit.ts";
import * as authorities from "./authorities.ts";
import * as backEnds from "./back-ends.ts";
import * as certificateBatches from "./certificate-batches.ts";
import * as certificates from "./certificates.ts";
import * as credentials from "./credentials.ts";
import * as deviceGroups from "./device-groups.ts";
import * as devices from "./devices.ts";
import type { Endpoint } from "./endpoint.ts";
import * as enrolment from "./enrolment.ts";
import * as headerMode from "./header-mode.ts";
import * as images from "./images.ts";
import * as keys from "./keys.ts";
import * as machineClients from "./machine-clients.ts";
import * as mender from "./mender.ts";
import * as notices from "./notices.ts";
import * as openpgp from "./openpgp.ts";
import * as overview from "./overview.ts";
import * as posture from "./posture.ts";
import * as refusals from "./refusals.ts";
import * as renewalCampaigns from "./renewal-campaigns.ts";
import * as revocation from "./revocation.ts";
import * as serverCa from "./server-ca.ts";
import * as updates from "./updates.ts";
import * as uploads from "./uploads.ts";

/** Every endpoint of the console API: found in the contract files, so that none can be forgotten here. */
export const ENDPOINTS: readonly Endpoint[] = [
  accounts,
  allowlist,
  audit,
  authorities,
  backEnds,
  certificateBatches,
  certificates,
  credentials,
  deviceGroups,
  devices,
  enrolment,
  headerMode,
  images,
  keys,
  machineClients,
  mender,
  notices,
  openpgp,
  overview,
  posture,
  renewalCampaigns,
  refusals,
  revocation,
  serverCa,
  updates,
  uploads,
]
  .flatMap((area) => Object.values(area))
  .filter(isEndpoint);

function isEndpoint(value: unknown): value is Endpoint {
  return (
    typeof value === "object" &&
    value !== null &&
    "method" in value &&
    "path" in value &&
    "permission" in value &&
    "reply" in value
  );
}
