-- A fingerprint that was allowed before its first visit was a certificate without content; it is an entry of the allowlist now. What was
-- revoked before its first visit stays: its certificate is refused for good.
INSERT INTO "allowlist_entry" ("id", "namespaceId", "kind", "value", "name", "hardwareId", "note", "createdAt", "createdBy")
SELECT gen_random_uuid(), "namespaceId", 'fingerprint', "fingerprint", "name", "hardwareId", "note", "createdAt", coalesce("decidedBy", 'Gatehouse')
FROM "device_certificate" WHERE "certificate" IS NULL AND "state" = 'allowed'
ON CONFLICT DO NOTHING;

DELETE FROM "device_certificate" WHERE "certificate" IS NULL AND "state" = 'allowed';
