import { createHash, createPublicKey, type KeyObject, randomBytes, randomUUID } from "node:crypto";

export type AuthStatus = "accepted" | "preauthorized" | "pending" | "rejected";
export type AuthSet = { id: string; identity: Record<string, unknown>; pubkey: string; status: AuthStatus; ts: string };
export type Device = {
  id: string;
  identity: Record<string, unknown>;
  identityKey: string;
  authSets: AuthSet[];
  createdAt: string;
  checkedInAt: string | null;
  decommissioning: boolean;
};

/** What a test turns: how the server of this test is set up, and what it is to do wrong. */
export type MenderKnobs = {
  /** Major version: `force` counts from 4; before, a device's token came as application/json. */
  version: number;
  maxDevices: number;
  /** Answers sign-ins with this status. */
  loginStatus: number | null;
  /** null: without `exp`. */
  loginSeconds: number | null;
  deviceTokenSeconds: number;
  /** Answers every management call with this status. */
  managementStatus: number | null;
  /** Lets management calls wait for as long. */
  managementDelayMs: number;
  /** Answers every call of devices with this status. */
  deviceStatus: number | null;
  /** Ends a WebSocket with these bytes as soon as the device has said something. */
  lastWords: Buffer | null;
};

export type MenderState = ReturnType<typeof createMenderState>;

export const USER = { email: "gateway@example.com", password: "a password of Mender" } as const;
const SESSIONS = 10;

/** What a Mender server remembers, and its rules about it. @see docs/contracts/mender.md */
export function createMenderState() {
  const knobs: MenderKnobs = {
    version: 4,
    maxDevices: 500,
    loginStatus: null,
    loginSeconds: 604_800,
    deviceTokenSeconds: 604_800,
    managementStatus: null,
    managementDelayMs: 0,
    deviceStatus: null,
    lastWords: null,
  };
  const devices = new Map<string, Device>();
  /** Management sessions, oldest first, with their end. */
  const sessions = new Map<string, number>();
  const personal = new Set<string>();
  /** Device tokens: one an authentication set. */
  const tokens = new Map<string, { token: string; endsAt: number }>();
  const nowSeconds = () => Date.now() / 1_000;

  function find(identity: Record<string, unknown>): Device | undefined {
    const key = identityKey(identity);
    return [...devices.values()].find((device) => device.identityKey === key);
  }

  function add(identity: Record<string, unknown>, pubkey: string, status: AuthStatus): Device {
    const device: Device = {
      id: randomUUID(),
      identity,
      identityKey: identityKey(identity),
      authSets: [],
      createdAt: new Date().toISOString(),
      checkedInAt: null,
      decommissioning: false,
    };
    devices.set(device.id, device);
    device.authSets.push(newSet(identity, pubkey, status));
    return device;
  }

  function setStatus(device: Device, set: AuthSet, status: AuthStatus): 204 | 400 | 422 {
    if (set.status === status) return 204;
    if (!TRANSITIONS[set.status].includes(status)) return 400;
    if (status === "accepted") {
      const accepted = [...devices.values()].filter((it) => statusOf(it) === "accepted" && it.id !== device.id).length;
      if (accepted >= knobs.maxDevices) return 422;
      for (const other of device.authSets) if (other !== set && other.status === "accepted") other.status = "rejected";
    }
    for (const other of device.authSets) if (other.status === "rejected") tokens.delete(other.id);
    if (set.status === "accepted") tokens.delete(set.id);
    set.status = status;
    return 204;
  }

  return {
    knobs,
    devices,
    sessions,
    tokens,
    find,
    add,
    setStatus,
    /** @returns the raw token, and evicts the oldest of more than ten sessions */
    signIn(seconds: number | null): string {
      const exp = seconds === null ? undefined : Math.floor(nowSeconds() + seconds);
      const token = jwt({
        iss: "mender.useradm",
        "mender.user": true,
        jti: randomUUID(),
        ...(exp === undefined ? {} : { exp }),
      });
      sessions.set(token, exp ?? Number.POSITIVE_INFINITY);
      for (const oldest of sessions.keys()) if (sessions.size > SESSIONS) sessions.delete(oldest);
      return token;
    },
    addPersonalToken(): string {
      const token = jwt({ iss: "mender.useradm", "mender.user": true, jti: randomUUID() });
      personal.add(token);
      return token;
    },
    maySignedIn: (token: string) => personal.has(token) || (sessions.get(token) ?? 0) > nowSeconds(),
    /** An authentication request whose signature was right. @returns the device's token, or what is said instead */
    authenticate(identity: Record<string, unknown>, pubkey: string): { token: string } | { refused: string } {
      const device = find(identity) ?? add(identity, pubkey, "pending");
      if (device.decommissioning) return { refused: "dev auth: unauthorized" };
      const set = setWith(device, pubkey) ?? push(device, newSet(identity, pubkey, "pending"));
      if (set.status === "preauthorized") {
        const accepted = [...devices.values()].filter(
          (it) => statusOf(it) === "accepted" && it.id !== device.id,
        ).length;
        if (accepted >= knobs.maxDevices) return { refused: "unauthorized" };
        for (const other of device.authSets) if (other.status === "accepted") other.status = "rejected";
        set.status = "accepted";
      }
      if (set.status !== "accepted") return { refused: "dev auth: unauthorized" };
      device.checkedInAt = new Date().toISOString();
      const endsAt = Math.floor(nowSeconds() + knobs.deviceTokenSeconds);
      const token = jwt({ iss: "Mender", sub: device.id, jti: set.id, exp: endsAt, "mender.device": true });
      tokens.set(set.id, { token, endsAt });
      return { token };
    },
    /** 200; 403 once when it has just ended, which forgets it; 401. */
    judgeDeviceToken(token: string): 200 | 401 | 403 {
      const found = [...tokens].find(([, it]) => it.token === token);
      if (found === undefined) return 401;
      if (found[1].endsAt > nowSeconds()) return 200;
      tokens.delete(found[0]);
      return 403;
    },
    deviceOfToken(token: string): Device | undefined {
      const found = [...tokens].find(([, it]) => it.token === token);
      return [...devices.values()].find((device) => device.authSets.some((set) => set.id === found?.[0]));
    },
  };
}

const TRANSITIONS: Record<AuthStatus, readonly AuthStatus[]> = {
  pending: ["accepted", "rejected"],
  rejected: ["accepted", "pending"],
  accepted: ["rejected", "pending"],
  preauthorized: [],
};

/** The strongest of its sets. */
export function statusOf(device: Device): AuthStatus | "noauth" {
  const order = ["accepted", "preauthorized", "pending", "rejected"] as const;
  return order.find((status) => device.authSets.some((set) => set.status === status)) ?? "noauth";
}

export function newSet(identity: Record<string, unknown>, pubkey: string, status: AuthStatus): AuthSet {
  return { id: randomUUID(), identity, pubkey, status, ts: new Date().toISOString() };
}

export function push(device: Device, set: AuthSet): AuthSet {
  device.authSets.push(set);
  return set;
}

export function setWith(device: Device, pubkey: string): AuthSet | undefined {
  return device.authSets.find((set) => set.pubkey === pubkey);
}

/** The PEM as the server writes it anew; null for any other label than PUBLIC KEY, and for what it can't read. */
export function normalisePem(pem: string): { pem: string; key: KeyObject } | null {
  if (!/^\s*-----BEGIN PUBLIC KEY-----/.test(pem)) return null;
  try {
    const key = createPublicKey(pem);
    return { pem: key.export({ type: "spki", format: "pem" }).toString(), key };
  } catch {
    return null;
  }
}

/** Sorted keys, then a digest, as the server identifies a device. */
export function identityKey(identity: Record<string, unknown>): string {
  const sorted = JSON.stringify(identity, (_name, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(sorted).digest("hex");
}

/** The signature is random: nobody but the server verifies it. */
function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT" })}.${part({ iat: Math.floor(Date.now() / 1_000), ...claims })}.${randomBytes(64).toString("base64url")}`;
}
