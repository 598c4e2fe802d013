-- AlterTable
ALTER TABLE "authority" ADD COLUMN     "certificateDays" INTEGER NOT NULL DEFAULT 365,
ADD COLUMN     "chain" BYTEA[] DEFAULT ARRAY[]::BYTEA[],
ADD COLUMN     "deviceIdField" TEXT NOT NULL DEFAULT 'cn',
ADD COLUMN     "deviceIdForm" TEXT NOT NULL DEFAULT 'uuid',
ADD COLUMN     "deviceIdTemplate" TEXT NOT NULL DEFAULT '{id}',
ADD COLUMN     "graceDays" INTEGER NOT NULL DEFAULT 7,
ADD COLUMN     "keyTypes" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "maxValidityDays" INTEGER,
ADD COLUMN     "newcomersPerHour" INTEGER,
ADD COLUMN     "note" TEXT,
ADD COLUMN     "origin" TEXT NOT NULL DEFAULT 'created',
ADD COLUMN     "proofCode" TEXT,
ADD COLUMN     "proofUntil" TIMESTAMPTZ(3),
ADD COLUMN     "provedAt" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "revocationReason" TEXT,
ADD COLUMN     "sourceNetworks" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "stateChangedAt" TIMESTAMPTZ(3),
ADD COLUMN     "stateChangedBy" TEXT,
ADD COLUMN     "subjectPattern" TEXT,
ADD COLUMN     "waitingDays" INTEGER NOT NULL DEFAULT 30;

-- AlterTable
ALTER TABLE "device_certificate" ADD COLUMN     "admittedAt" TIMESTAMPTZ(3),
ADD COLUMN     "canary" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "graceUntil" TIMESTAMPTZ(3),
ADD COLUMN     "keyType" TEXT,
ADD COLUMN     "renewalOf" TEXT,
ADD COLUMN     "revokedAt" TIMESTAMPTZ(3),
ADD COLUMN     "spkiSha256" TEXT;

-- AlterTable
ALTER TABLE "machine_client" ADD COLUMN     "sourceNetworks" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "refused_attempt" ADD COLUMN     "authorityId" UUID,
ADD COLUMN     "certificate" BYTEA,
ADD COLUMN     "detail" TEXT;

-- CreateTable
CREATE TABLE "certificate_address" (
    "namespaceId" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "firstAt" TIMESTAMPTZ(3) NOT NULL,
    "lastAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "certificate_address_pkey" PRIMARY KEY ("namespaceId","fingerprint","address")
);

-- CreateTable
CREATE TABLE "allowlist_entry" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "scope" TEXT NOT NULL DEFAULT '',
    "name" TEXT,
    "hardwareId" TEXT,
    "groupId" UUID,
    "tags" JSONB NOT NULL DEFAULT '{}',
    "note" TEXT,
    "expiresAt" TIMESTAMPTZ(3),
    "usedAt" TIMESTAMPTZ(3),
    "usedBy" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy" TEXT NOT NULL,

    CONSTRAINT "allowlist_entry_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "enrolment_token" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "secretHash" TEXT NOT NULL,
    "usesAllowed" INTEGER NOT NULL,
    "usesLeft" INTEGER NOT NULL,
    "validFrom" TIMESTAMPTZ(3) NOT NULL,
    "validUntil" TIMESTAMPTZ(3) NOT NULL,
    "policy" TEXT NOT NULL,
    "authorityId" UUID,
    "groupId" UUID,
    "hardwareId" TEXT,
    "certificateDays" INTEGER,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy" TEXT NOT NULL,
    "lastUsedAt" TIMESTAMPTZ(3),
    "revokedAt" TIMESTAMPTZ(3),
    "revokedBy" TEXT,

    CONSTRAINT "enrolment_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "authority_crl" (
    "authorityId" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "number" BIGINT NOT NULL,
    "baseNumber" BIGINT,
    "der" BYTEA NOT NULL,
    "thisUpdate" TIMESTAMPTZ(3) NOT NULL,
    "nextUpdate" TIMESTAMPTZ(3) NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "authority_crl_pkey" PRIMARY KEY ("authorityId","kind","number")
);

-- CreateTable
CREATE TABLE "ocsp_responder" (
    "id" UUID NOT NULL,
    "authorityId" UUID NOT NULL,
    "certificate" BYTEA NOT NULL,
    "sealedKey" BYTEA NOT NULL,
    "notBefore" TIMESTAMPTZ(3) NOT NULL,
    "notAfter" TIMESTAMPTZ(3) NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ocsp_responder_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "gateway_replica" (
    "id" UUID NOT NULL,
    "host" TEXT NOT NULL,
    "doorUrl" TEXT,
    "version" TEXT NOT NULL,
    "startedAt" TIMESTAMPTZ(3) NOT NULL,
    "heardAt" TIMESTAMPTZ(3) NOT NULL,
    "stoppedAt" TIMESTAMPTZ(3),
    "connections" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "gateway_replica_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "admission_change" (
    "id" BIGSERIAL NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "fingerprint" TEXT,
    "authorityId" UUID,
    "verb" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "admission_change_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "admission_change_applied" (
    "changeId" BIGINT NOT NULL,
    "gatewayId" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
    "cut" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "admission_change_applied_pkey" PRIMARY KEY ("changeId","gatewayId")
);

-- CreateTable
CREATE TABLE "revocation_canary" (
    "namespaceId" TEXT NOT NULL,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "buckets" JSONB NOT NULL DEFAULT '{}',
    "lastAt" TIMESTAMPTZ(3),
    "lastDelayMs" INTEGER,
    "lastProblem" TEXT,
    "worstAt" TIMESTAMPTZ(3),
    "worstDelayMs" INTEGER,
    "lateSince" TIMESTAMPTZ(3),

    CONSTRAINT "revocation_canary_pkey" PRIMARY KEY ("namespaceId")
);

-- CreateTable
CREATE TABLE "header_mode" (
    "namespaceId" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL,
    "checkedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "header_mode_pkey" PRIMARY KEY ("namespaceId")
);

-- CreateTable
CREATE TABLE "renewal_campaign" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "note" TEXT,
    "dueAt" TIMESTAMPTZ(3) NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy" TEXT NOT NULL,
    "closedAt" TIMESTAMPTZ(3),
    "closedBy" TEXT,

    CONSTRAINT "renewal_campaign_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "renewal_campaign_device" (
    "campaignId" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "renewedAt" TIMESTAMPTZ(3),

    CONSTRAINT "renewal_campaign_device_pkey" PRIMARY KEY ("campaignId","deviceUuid")
);

-- CreateTable
CREATE TABLE "notice" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "threshold" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "href" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "settledAt" TIMESTAMPTZ(3),

    CONSTRAINT "notice_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refusal_hour" (
    "namespaceId" TEXT NOT NULL,
    "hour" TIMESTAMPTZ(3) NOT NULL,
    "code" TEXT NOT NULL,
    "count" INTEGER NOT NULL,

    CONSTRAINT "refusal_hour_pkey" PRIMARY KEY ("namespaceId","hour","code")
);

-- CreateIndex
CREATE INDEX "certificate_address_namespaceId_lastAt_idx" ON "certificate_address"("namespaceId", "lastAt");

-- CreateIndex
CREATE INDEX "allowlist_entry_namespaceId_createdAt_id_idx" ON "allowlist_entry"("namespaceId", "createdAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "allowlist_entry_namespaceId_kind_scope_value_key" ON "allowlist_entry"("namespaceId", "kind", "scope", "value");

-- CreateIndex
CREATE UNIQUE INDEX "enrolment_token_secretHash_key" ON "enrolment_token"("secretHash");

-- CreateIndex
CREATE INDEX "enrolment_token_namespaceId_createdAt_id_idx" ON "enrolment_token"("namespaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "ocsp_responder_authorityId_createdAt_idx" ON "ocsp_responder"("authorityId", "createdAt");

-- CreateIndex
CREATE INDEX "gateway_replica_heardAt_idx" ON "gateway_replica"("heardAt");

-- CreateIndex
CREATE INDEX "admission_change_namespaceId_fingerprint_id_idx" ON "admission_change"("namespaceId", "fingerprint", "id");

-- CreateIndex
CREATE INDEX "admission_change_at_idx" ON "admission_change"("at");

-- CreateIndex
CREATE INDEX "renewal_campaign_namespaceId_createdAt_id_idx" ON "renewal_campaign"("namespaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "renewal_campaign_device_namespaceId_deviceUuid_idx" ON "renewal_campaign_device"("namespaceId", "deviceUuid");

-- CreateIndex
CREATE INDEX "notice_namespaceId_at_id_idx" ON "notice"("namespaceId", "at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "notice_namespaceId_kind_subject_threshold_key" ON "notice"("namespaceId", "kind", "subject", "threshold");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_spkiSha256_idx" ON "device_certificate"("namespaceId", "spkiSha256");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_authorityId_state_idx" ON "device_certificate"("namespaceId", "authorityId", "state");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_state_notAfter_fingerprint_idx" ON "device_certificate"("namespaceId", "state", "notAfter", "fingerprint");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_state_graceUntil_idx" ON "device_certificate"("namespaceId", "state", "graceUntil");

-- What is known of certificates decided on before.
UPDATE "device_certificate" SET "revokedAt" = "decidedAt" WHERE "state" = 'revoked';
UPDATE "device_certificate" SET "admittedAt" = "firstSeenAt" WHERE "state" = 'allowed';
