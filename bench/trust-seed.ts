import type { Ctx } from "#lib/ctx.ts";

/**
 * As many devices as told, each with a certificate of one authority: a twentieth waits, some are revoked, in their grace, weak or never
 * used, some devices silent; and an allowlist of the same length.
 */
export async function seedTrust({ db, namespaceId }: Pick<Ctx, "db" | "namespaceId">, count: number): Promise<void> {
  await db.$executeRaw`
    INSERT INTO fleet_device ("namespaceId", uuid, name, "deviceId", status, "statusAt", "lastSeenAt", "createdAt")
    SELECT ${namespaceId}, md5('device ' || n)::uuid, 'press ' || n, 'press-' || n, 'up_to_date', now(),
      CASE WHEN n % 50 = 0 THEN NULL ELSE now() - make_interval(hours => (n * 7919) % 1200) END, now() - make_interval(mins => n)
    FROM generate_series(1, ${count}::int) AS n`;
  await db.$executeRaw`
    INSERT INTO device_certificate ("namespaceId", fingerprint, "tbsSha256", "deviceUuid", "authorityId", "subjectDn", "issuerDn",
      "serialHex", certificate, "spkiSha256", "keyType", "notBefore", "notAfter", "graceUntil", state, name, "revokedAt", "admittedAt",
      "firstSeenAt", "lastSeenAt", "lastAddress", "createdAt", "decidedAt", "decidedBy")
    SELECT ${namespaceId}, encode(sha256(('certificate ' || n)::bytea), 'hex'), encode(sha256(('tbs ' || n)::bytea), 'hex'),
      md5('device ' || n)::uuid, (SELECT id FROM authority WHERE "namespaceId" = ${namespaceId} AND kind = 'fleet' LIMIT 1),
      'CN=' || md5('device ' || n)::uuid, 'CN=Gatehouse fleet CA', md5('serial ' || n), decode(repeat(md5('der ' || n), 40), 'hex'),
      encode(sha256(('key ' || CASE WHEN n % 1000 = 1 THEN n - 1 ELSE n END)::bytea), 'hex'),
      CASE WHEN n % 100 = 3 THEN 'RSA-2048' ELSE 'P-256' END, now() - interval '365 days', now() + make_interval(hours => (n * 9973) % 17000),
      CASE WHEN n % 200 = 7 THEN now() + interval '5 days' END,
      CASE WHEN n % 20 = 1 THEN 'pending' WHEN n % 100 = 2 THEN 'revoked' ELSE 'allowed' END, 'press ' || n,
      CASE WHEN n % 100 = 2 THEN now() END, CASE WHEN n % 70 <> 0 THEN now() - interval '300 days' END,
      now() - interval '300 days', CASE WHEN n % 70 <> 0 THEN now() - make_interval(hours => (n * 7919) % 1200) END,
      '10.0.' || n / 256 % 256 || '.' || n % 256, now() - make_interval(mins => n), now() - interval '300 days', 'bench'
    FROM generate_series(1, ${count}::int) AS n`;
  await db.$executeRaw`
    INSERT INTO certificate_address ("namespaceId", fingerprint, address, "firstAt", "lastAt")
    SELECT ${namespaceId}, encode(sha256(('certificate ' || n)::bytea), 'hex'), '10.' || a || '.' || n / 256 % 256 || '.' || n % 256,
      now() - interval '2 days', now() - make_interval(hours => n % 72)
    FROM generate_series(1, ${count}::int) AS n, generate_series(1, CASE WHEN n % 500 = 0 THEN 6 ELSE 1 END) AS a`;
  await db.$executeRaw`
    INSERT INTO allowlist_entry (id, "namespaceId", kind, value, name, "usedAt", "usedBy", "createdAt", "createdBy")
    SELECT gen_random_uuid(), ${namespaceId}, 'fingerprint', encode(sha256(('listed ' || n)::bytea), 'hex'), 'press ' || n,
      CASE WHEN n % 2 = 0 THEN now() END, CASE WHEN n % 2 = 0 THEN encode(sha256(('certificate ' || n)::bytea), 'hex') END,
      now() - make_interval(secs => n), 'bench'
    FROM generate_series(1, ${count}::int) AS n`;
  await db.$executeRaw`VACUUM (ANALYZE) fleet_device, device_certificate, certificate_address, allowlist_entry`;
}
