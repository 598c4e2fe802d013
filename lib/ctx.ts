import type { MachineActor } from "#lib/authz/actor.ts";
import type { Config } from "#lib/config/load.ts";
import type { Db } from "#lib/db/client.ts";
import type { MasterKey } from "#lib/keys/master-key.ts";
import type { Log } from "#lib/log/log.ts";

/** What every use case gets. Time comes from here, so that tests can turn it. A process adds what its own parts need. */
export type Ctx = {
  readonly config: Config;
  readonly db: Db;
  readonly log: Log;
  readonly clock: () => Date;
  readonly keys: MasterKey;
  /** Of the request at hand; goes to back ends and into the audit log. */
  readonly requestId: string;
  readonly namespaceId: string;
  /** In the embedded services: the machine client for which a door asks. */
  readonly machine?: MachineActor;
};

export const DEFAULT_NAMESPACE = "default";
