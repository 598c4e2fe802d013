-- CreateTable
CREATE TABLE "user_account" (
    "id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "passwordHash" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "disabledAt" TIMESTAMPTZ(3),

    CONSTRAINT "user_account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "user_session" (
    "id" UUID NOT NULL,
    "userId" UUID NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "lastUsedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "revokedAt" TIMESTAMPTZ(3),
    "address" TEXT,
    "userAgent" TEXT,

    CONSTRAINT "user_session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_token" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "userId" UUID,
    "tokenHash" BYTEA NOT NULL,
    "hint" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3),
    "lastUsedAt" TIMESTAMPTZ(3),
    "revokedAt" TIMESTAMPTZ(3),

    CONSTRAINT "api_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "setup_link" (
    "id" UUID NOT NULL,
    "tokenHash" BYTEA NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "usedAt" TIMESTAMPTZ(3),

    CONSTRAINT "setup_link_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sign_in_window" (
    "key" TEXT NOT NULL,
    "failures" INTEGER NOT NULL,
    "windowStartedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "sign_in_window_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "audit_entry" (
    "id" BIGSERIAL NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "actorKind" TEXT NOT NULL,
    "actorId" TEXT,
    "actorName" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "settles" BIGINT,
    "targetKind" TEXT NOT NULL,
    "targetId" TEXT NOT NULL,
    "targetName" TEXT,
    "address" TEXT,
    "requestId" TEXT,
    "before" JSONB,
    "after" JSONB,
    "previousHash" BYTEA NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "install_fact" (
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "install_fact_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "namespace" (
    "id" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "namespace_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "console_event" (
    "id" BIGSERIAL NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "topic" TEXT NOT NULL,
    "subjectId" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "console_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "registry_device" (
    "uuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "deviceName" TEXT NOT NULL,
    "deviceId" TEXT NOT NULL,
    "deviceType" TEXT NOT NULL,
    "lastSeen" TIMESTAMPTZ(3),
    "activatedAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "status" TEXT NOT NULL,
    "notes" TEXT,
    "hibernated" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "registry_device_pkey" PRIMARY KEY ("uuid")
);

-- CreateTable
CREATE TABLE "registry_deleted_device" (
    "uuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "deviceId" TEXT NOT NULL,
    "deletedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_deleted_device_pkey" PRIMARY KEY ("uuid")
);

-- CreateTable
CREATE TABLE "registry_credentials" (
    "deviceUuid" UUID NOT NULL,
    "type" TEXT NOT NULL,
    "credentials" TEXT NOT NULL,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_credentials_pkey" PRIMARY KEY ("deviceUuid")
);

-- CreateTable
CREATE TABLE "registry_system_info" (
    "deviceUuid" UUID NOT NULL,
    "body" BYTEA NOT NULL,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_system_info_pkey" PRIMARY KEY ("deviceUuid")
);

-- CreateTable
CREATE TABLE "registry_network_info" (
    "deviceUuid" UUID NOT NULL,
    "localIpv4" TEXT NOT NULL,
    "mac" TEXT NOT NULL,
    "hostname" TEXT NOT NULL,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_network_info_pkey" PRIMARY KEY ("deviceUuid")
);

-- CreateTable
CREATE TABLE "registry_package" (
    "deviceUuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "lastModified" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_package_pkey" PRIMARY KEY ("deviceUuid","name","version")
);

-- CreateTable
CREATE TABLE "registry_event" (
    "deviceUuid" UUID NOT NULL,
    "eventId" TEXT NOT NULL,
    "eventType" TEXT NOT NULL,
    "eventVersion" INTEGER NOT NULL,
    "deviceTime" TIMESTAMPTZ(3) NOT NULL,
    "receivedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "indexedType" TEXT,
    "correlationId" TEXT,
    "ecu" TEXT,
    "payload" BYTEA NOT NULL,

    CONSTRAINT "registry_event_pkey" PRIMARY KEY ("deviceUuid","eventId")
);

-- CreateTable
CREATE TABLE "registry_quarantined_event" (
    "id" UUID NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "reason" TEXT NOT NULL,
    "body" BYTEA NOT NULL,
    "receivedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_quarantined_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "registry_installation_report" (
    "deviceUuid" UUID NOT NULL,
    "correlationId" TEXT NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "success" BOOLEAN NOT NULL,
    "resultCode" TEXT NOT NULL,
    "eventTime" TIMESTAMPTZ(3) NOT NULL,
    "report" BYTEA NOT NULL,
    "receivedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_installation_report_pkey" PRIMARY KEY ("deviceUuid","correlationId")
);

-- CreateTable
CREATE TABLE "registry_ecu_replacement" (
    "id" UUID NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "success" BOOLEAN NOT NULL,
    "body" JSONB NOT NULL,
    "eventTime" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "registry_ecu_replacement_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "director_device" (
    "uuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "primarySerial" TEXT,
    "metadataOutdated" BOOLEAN NOT NULL DEFAULT false,
    "mayStillInstall" BOOLEAN NOT NULL DEFAULT false,
    "withdrawnCorrelationId" TEXT,
    "lastManifestDigest" TEXT,
    "lastManifestAt" TIMESTAMPTZ(3),
    "targetsFetchedVersion" INTEGER,
    "targetsFetchedAt" TIMESTAMPTZ(3),
    "registeredAt" TIMESTAMPTZ(3),
    "deletedAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_device_pkey" PRIMARY KEY ("uuid")
);

-- CreateTable
CREATE TABLE "director_ecu" (
    "deviceUuid" UUID NOT NULL,
    "serial" TEXT NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "hardwareId" TEXT NOT NULL,
    "keyType" TEXT NOT NULL,
    "publicValue" TEXT NOT NULL,
    "primary" BOOLEAN NOT NULL,
    "installedFilename" TEXT,
    "installedSha256" TEXT,
    "installedLength" BIGINT,
    "installedAt" TIMESTAMPTZ(3),
    "installedManifest" UUID,
    "removedAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_ecu_pkey" PRIMARY KEY ("deviceUuid","serial")
);

-- CreateTable
CREATE TABLE "director_mtu" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "targets" JSONB NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_mtu_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "director_assignment" (
    "deviceUuid" UUID NOT NULL,
    "ecuSerial" TEXT NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "correlationId" TEXT NOT NULL,
    "targetFilename" TEXT NOT NULL,
    "targetSha256" TEXT NOT NULL,
    "targetLength" BIGINT NOT NULL,
    "targetUri" TEXT,
    "targetCustom" JSONB,
    "inFlight" BOOLEAN NOT NULL DEFAULT false,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_assignment_pkey" PRIMARY KEY ("deviceUuid","ecuSerial")
);

-- CreateTable
CREATE TABLE "director_processed_assignment" (
    "id" UUID NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "ecuSerial" TEXT NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "correlationId" TEXT NOT NULL,
    "targetFilename" TEXT NOT NULL,
    "targetSha256" TEXT NOT NULL,
    "targetLength" BIGINT NOT NULL,
    "successful" BOOLEAN NOT NULL,
    "canceled" BOOLEAN NOT NULL,
    "result" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL,
    "processedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_processed_assignment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "director_role" (
    "deviceUuid" UUID NOT NULL,
    "role" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "bytes" BYTEA NOT NULL,
    "checksum" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_role_pkey" PRIMARY KEY ("deviceUuid","role")
);

-- CreateTable
CREATE TABLE "director_manifest" (
    "id" UUID NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "sha256" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "bytes" BYTEA NOT NULL,
    "evidence" BOOLEAN NOT NULL DEFAULT false,
    "receivedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_manifest_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "fleet_device" (
    "namespaceId" TEXT NOT NULL,
    "uuid" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "deviceId" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "statusReason" TEXT,
    "statusAt" TIMESTAMPTZ(3) NOT NULL,
    "hardwareIds" TEXT[],
    "primaryHardwareId" TEXT,
    "ecus" JSONB NOT NULL DEFAULT '[]',
    "installedFilenames" TEXT[],
    "primaryImage" TEXT,
    "assignedFilenames" TEXT[],
    "correlationId" TEXT,
    "inFlight" BOOLEAN NOT NULL DEFAULT false,
    "mayStillInstall" BOOLEAN NOT NULL DEFAULT false,
    "assignedAt" TIMESTAMPTZ(3),
    "fetchedAt" TIMESTAMPTZ(3),
    "certificateFingerprint" TEXT,
    "certificateState" TEXT,
    "certificateNotAfter" TIMESTAMPTZ(3),
    "lastFailureCode" TEXT,
    "lastFailureText" TEXT,
    "lastFailureAt" TIMESTAMPTZ(3),
    "registrationRefusal" TEXT,
    "address" TEXT,
    "simulated" BOOLEAN NOT NULL DEFAULT false,
    "lastSeenAt" TIMESTAMPTZ(3),
    "lastManifestAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "fleet_device_pkey" PRIMARY KEY ("namespaceId","uuid")
);

-- CreateTable
CREATE TABLE "fleet_activity" (
    "id" BIGSERIAL NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "detail" JSONB,

    CONSTRAINT "fleet_activity_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "authority" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "subjectDn" TEXT NOT NULL,
    "certificate" BYTEA NOT NULL,
    "sealedKey" BYTEA,
    "notBefore" TIMESTAMPTZ(3) NOT NULL,
    "notAfter" TIMESTAMPTZ(3) NOT NULL,
    "state" TEXT NOT NULL,
    "policy" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "authority_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "server_certificate" (
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "names" TEXT[],
    "certificate" BYTEA NOT NULL,
    "sealedKey" BYTEA NOT NULL,
    "notBefore" TIMESTAMPTZ(3) NOT NULL,
    "notAfter" TIMESTAMPTZ(3) NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "server_certificate_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "device_certificate" (
    "namespaceId" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "tbsSha256" TEXT,
    "deviceUuid" UUID,
    "authorityId" UUID,
    "subjectDn" TEXT,
    "issuerDn" TEXT,
    "serialHex" TEXT,
    "certificate" BYTEA,
    "notBefore" TIMESTAMPTZ(3),
    "notAfter" TIMESTAMPTZ(3),
    "state" TEXT NOT NULL,
    "name" TEXT,
    "hardwareId" TEXT,
    "note" TEXT,
    "revocationReason" TEXT,
    "issuedHere" BOOLEAN NOT NULL DEFAULT false,
    "simulated" BOOLEAN NOT NULL DEFAULT false,
    "firstSeenAt" TIMESTAMPTZ(3),
    "lastSeenAt" TIMESTAMPTZ(3),
    "lastAddress" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "decidedAt" TIMESTAMPTZ(3),
    "decidedBy" TEXT,

    CONSTRAINT "device_certificate_pkey" PRIMARY KEY ("namespaceId","fingerprint")
);

-- CreateTable
CREATE TABLE "refused_attempt" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "sentence" TEXT NOT NULL,
    "subjectDn" TEXT,
    "issuerDn" TEXT,
    "address" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "firstAt" TIMESTAMPTZ(3) NOT NULL,
    "lastAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "refused_attempt_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "simulated_device" (
    "deviceUuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "hardwareId" TEXT NOT NULL,
    "secondaries" INTEGER NOT NULL,
    "intervalSeconds" INTEGER NOT NULL,
    "sealedBundle" BYTEA NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "stoppedAt" TIMESTAMPTZ(3),
    "runner" TEXT,
    "leaseUntil" TIMESTAMPTZ(3),

    CONSTRAINT "simulated_device_pkey" PRIMARY KEY ("deviceUuid")
);

-- CreateTable
CREATE TABLE "update" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "targets" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "correlationId" TEXT NOT NULL,
    "mtuId" UUID,
    "auditSequence" BIGINT,
    "createdBy" JSONB NOT NULL,
    "cancelSequence" BIGINT,
    "cancelledBy" JSONB,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finishedAt" TIMESTAMPTZ(3),
    "leaseUntil" TIMESTAMPTZ(3),
    "trouble" TEXT,

    CONSTRAINT "update_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "update_device" (
    "updateId" UUID NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "confirmed" BOOLEAN NOT NULL DEFAULT false,
    "reasonCode" TEXT,
    "reason" TEXT,
    "stateAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "evidence" JSONB,

    CONSTRAINT "update_device_pkey" PRIMARY KEY ("updateId","deviceUuid")
);

-- CreateTable
CREATE TABLE "tuf_repo" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tuf_repo_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tuf_key" (
    "repoId" UUID NOT NULL,
    "role" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "keyType" TEXT NOT NULL,
    "publicValue" TEXT NOT NULL,
    "sealedPrivate" BYTEA,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "retiredAt" TIMESTAMPTZ(3),

    CONSTRAINT "tuf_key_pkey" PRIMARY KEY ("repoId","role","keyId")
);

-- CreateTable
CREATE TABLE "tuf_root" (
    "repoId" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "bytes" BYTEA NOT NULL,
    "checksum" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tuf_root_pkey" PRIMARY KEY ("repoId","version")
);

-- CreateTable
CREATE TABLE "image_role" (
    "repoId" UUID NOT NULL,
    "role" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "bytes" BYTEA NOT NULL,
    "checksum" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "image_role_pkey" PRIMARY KEY ("repoId","role")
);

-- CreateTable
CREATE TABLE "image_target" (
    "namespaceId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "name" TEXT,
    "version" TEXT,
    "hardwareIds" TEXT[],
    "format" TEXT,
    "sha256" TEXT NOT NULL,
    "length" BIGINT NOT NULL,
    "uri" TEXT,
    "proprietary" JSONB,
    "storage" TEXT NOT NULL,
    "blobKey" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "image_target_pkey" PRIMARY KEY ("namespaceId","filename")
);

-- CreateTable
CREATE TABLE "image_tombstone" (
    "namespaceId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "length" BIGINT NOT NULL,
    "deletedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "image_tombstone_pkey" PRIMARY KEY ("namespaceId","filename")
);

-- CreateTable
CREATE TABLE "image_comment" (
    "namespaceId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "comment" TEXT NOT NULL,

    CONSTRAINT "image_comment_pkey" PRIMARY KEY ("namespaceId","filename")
);

-- CreateTable
CREATE TABLE "image_verification" (
    "namespaceId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "checks" JSONB NOT NULL,
    "checkedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "image_verification_pkey" PRIMARY KEY ("namespaceId","filename")
);

-- CreateIndex
CREATE UNIQUE INDEX "user_account_email_key" ON "user_account"("email");

-- CreateIndex
CREATE INDEX "user_session_userId_createdAt_idx" ON "user_session"("userId", "createdAt");

-- CreateIndex
CREATE UNIQUE INDEX "api_token_tokenHash_key" ON "api_token"("tokenHash");

-- CreateIndex
CREATE INDEX "api_token_namespaceId_createdAt_idx" ON "api_token"("namespaceId", "createdAt");

-- CreateIndex
CREATE UNIQUE INDEX "setup_link_tokenHash_key" ON "setup_link"("tokenHash");

-- CreateIndex
CREATE INDEX "sign_in_window_windowStartedAt_idx" ON "sign_in_window"("windowStartedAt");

-- CreateIndex
CREATE INDEX "audit_entry_namespaceId_targetKind_targetId_sequence_idx" ON "audit_entry"("namespaceId", "targetKind", "targetId", "sequence");

-- CreateIndex
CREATE INDEX "audit_entry_namespaceId_action_sequence_idx" ON "audit_entry"("namespaceId", "action", "sequence");

-- CreateIndex
CREATE INDEX "audit_entry_namespaceId_settles_idx" ON "audit_entry"("namespaceId", "settles");

-- CreateIndex
CREATE INDEX "audit_entry_outcome_at_idx" ON "audit_entry"("outcome", "at");

-- CreateIndex
CREATE UNIQUE INDEX "audit_entry_namespaceId_sequence_key" ON "audit_entry"("namespaceId", "sequence");

-- CreateIndex
CREATE INDEX "console_event_namespaceId_id_idx" ON "console_event"("namespaceId", "id");

-- CreateIndex
CREATE INDEX "console_event_at_idx" ON "console_event"("at");

-- CreateIndex
CREATE INDEX "registry_device_namespaceId_createdAt_uuid_idx" ON "registry_device"("namespaceId", "createdAt", "uuid");

-- CreateIndex
CREATE UNIQUE INDEX "registry_device_namespaceId_deviceName_key" ON "registry_device"("namespaceId", "deviceName");

-- CreateIndex
CREATE UNIQUE INDEX "registry_device_namespaceId_deviceId_key" ON "registry_device"("namespaceId", "deviceId");

-- CreateIndex
CREATE INDEX "registry_package_namespaceId_name_version_idx" ON "registry_package"("namespaceId", "name", "version");

-- CreateIndex
CREATE INDEX "registry_event_deviceUuid_correlationId_deviceTime_idx" ON "registry_event"("deviceUuid", "correlationId", "deviceTime");

-- CreateIndex
CREATE INDEX "registry_event_deviceUuid_receivedAt_idx" ON "registry_event"("deviceUuid", "receivedAt");

-- CreateIndex
CREATE INDEX "registry_quarantined_event_deviceUuid_receivedAt_idx" ON "registry_quarantined_event"("deviceUuid", "receivedAt");

-- CreateIndex
CREATE INDEX "registry_installation_report_namespaceId_correlationId_resu_idx" ON "registry_installation_report"("namespaceId", "correlationId", "resultCode");

-- CreateIndex
CREATE INDEX "registry_installation_report_deviceUuid_eventTime_idx" ON "registry_installation_report"("deviceUuid", "eventTime");

-- CreateIndex
CREATE INDEX "registry_ecu_replacement_deviceUuid_eventTime_idx" ON "registry_ecu_replacement"("deviceUuid", "eventTime");

-- CreateIndex
CREATE INDEX "director_device_namespaceId_createdAt_uuid_idx" ON "director_device"("namespaceId", "createdAt", "uuid");

-- CreateIndex
CREATE INDEX "director_ecu_namespaceId_hardwareId_idx" ON "director_ecu"("namespaceId", "hardwareId");

-- CreateIndex
CREATE INDEX "director_ecu_namespaceId_installedFilename_idx" ON "director_ecu"("namespaceId", "installedFilename");

-- CreateIndex
CREATE INDEX "director_assignment_namespaceId_correlationId_idx" ON "director_assignment"("namespaceId", "correlationId");

-- CreateIndex
CREATE INDEX "director_assignment_namespaceId_targetFilename_idx" ON "director_assignment"("namespaceId", "targetFilename");

-- CreateIndex
CREATE INDEX "director_processed_assignment_deviceUuid_processedAt_idx" ON "director_processed_assignment"("deviceUuid", "processedAt");

-- CreateIndex
CREATE INDEX "director_processed_assignment_namespaceId_correlationId_idx" ON "director_processed_assignment"("namespaceId", "correlationId");

-- CreateIndex
CREATE INDEX "director_role_role_expiresAt_idx" ON "director_role"("role", "expiresAt");

-- CreateIndex
CREATE INDEX "director_manifest_deviceUuid_receivedAt_idx" ON "director_manifest"("deviceUuid", "receivedAt");

-- CreateIndex
CREATE INDEX "director_manifest_deviceUuid_digest_idx" ON "director_manifest"("deviceUuid", "digest");

-- CreateIndex
CREATE INDEX "director_manifest_deviceUuid_sha256_idx" ON "director_manifest"("deviceUuid", "sha256");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_name_uuid_idx" ON "fleet_device"("namespaceId", "name", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_deviceId_uuid_idx" ON "fleet_device"("namespaceId", "deviceId", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_status_uuid_idx" ON "fleet_device"("namespaceId", "status", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_lastSeenAt_uuid_idx" ON "fleet_device"("namespaceId", "lastSeenAt", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_createdAt_uuid_idx" ON "fleet_device"("namespaceId", "createdAt", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_primaryImage_uuid_idx" ON "fleet_device"("namespaceId", "primaryImage", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_primaryHardwareId_uuid_idx" ON "fleet_device"("namespaceId", "primaryHardwareId", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_certificateNotAfter_uuid_idx" ON "fleet_device"("namespaceId", "certificateNotAfter", "uuid");

-- CreateIndex
CREATE INDEX "fleet_device_hardwareIds_idx" ON "fleet_device" USING GIN ("hardwareIds");

-- CreateIndex
CREATE INDEX "fleet_device_installedFilenames_idx" ON "fleet_device" USING GIN ("installedFilenames");

-- CreateIndex
CREATE INDEX "fleet_device_assignedFilenames_idx" ON "fleet_device" USING GIN ("assignedFilenames");

-- CreateIndex
CREATE INDEX "fleet_activity_namespaceId_deviceUuid_id_idx" ON "fleet_activity"("namespaceId", "deviceUuid", "id");

-- CreateIndex
CREATE UNIQUE INDEX "authority_namespaceId_fingerprint_key" ON "authority"("namespaceId", "fingerprint");

-- CreateIndex
CREATE INDEX "server_certificate_kind_createdAt_idx" ON "server_certificate"("kind", "createdAt");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_state_createdAt_fingerprint_idx" ON "device_certificate"("namespaceId", "state", "createdAt", "fingerprint");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_createdAt_fingerprint_idx" ON "device_certificate"("namespaceId", "createdAt", "fingerprint");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_deviceUuid_idx" ON "device_certificate"("namespaceId", "deviceUuid");

-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_tbsSha256_idx" ON "device_certificate"("namespaceId", "tbsSha256");

-- CreateIndex
CREATE INDEX "refused_attempt_namespaceId_lastAt_id_idx" ON "refused_attempt"("namespaceId", "lastAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "refused_attempt_namespaceId_fingerprint_code_key" ON "refused_attempt"("namespaceId", "fingerprint", "code");

-- CreateIndex
CREATE INDEX "simulated_device_namespaceId_createdAt_deviceUuid_idx" ON "simulated_device"("namespaceId", "createdAt", "deviceUuid");

-- CreateIndex
CREATE INDEX "update_namespaceId_createdAt_id_idx" ON "update"("namespaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "update_state_idx" ON "update"("state");

-- CreateIndex
CREATE UNIQUE INDEX "update_namespaceId_correlationId_key" ON "update"("namespaceId", "correlationId");

-- CreateIndex
CREATE INDEX "update_device_updateId_state_deviceUuid_idx" ON "update_device"("updateId", "state", "deviceUuid");

-- CreateIndex
CREATE INDEX "update_device_namespaceId_deviceUuid_updateId_idx" ON "update_device"("namespaceId", "deviceUuid", "updateId");

-- CreateIndex
CREATE UNIQUE INDEX "tuf_repo_namespaceId_kind_key" ON "tuf_repo"("namespaceId", "kind");

-- CreateIndex
CREATE INDEX "image_target_namespaceId_createdAt_filename_idx" ON "image_target"("namespaceId", "createdAt", "filename");

-- CreateIndex
CREATE INDEX "image_target_namespaceId_name_version_idx" ON "image_target"("namespaceId", "name", "version");

-- AddForeignKey
ALTER TABLE "user_session" ADD CONSTRAINT "user_session_userId_fkey" FOREIGN KEY ("userId") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_token" ADD CONSTRAINT "api_token_userId_fkey" FOREIGN KEY ("userId") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "update_device" ADD CONSTRAINT "update_device_updateId_fkey" FOREIGN KEY ("updateId") REFERENCES "update"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tuf_key" ADD CONSTRAINT "tuf_key_repoId_fkey" FOREIGN KEY ("repoId") REFERENCES "tuf_repo"("id") ON DELETE CASCADE ON UPDATE CASCADE;
