-- CreateTable
CREATE TABLE "director_auto_update" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "ecuSerial" TEXT NOT NULL,
    "targetName" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_auto_update_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "director_repo_role" (
    "repoId" UUID NOT NULL,
    "role" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "bytes" BYTEA NOT NULL,
    "checksum" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deletedAt" TIMESTAMPTZ(3),

    CONSTRAINT "director_repo_role_pkey" PRIMARY KEY ("repoId","role","name","version")
);

-- CreateTable
CREATE TABLE "director_update" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "targets" JSONB NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "director_update_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "director_update_device" (
    "updateId" UUID NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "scheduledFor" TIMESTAMPTZ(3),
    "assignedEcus" INTEGER NOT NULL DEFAULT 0,
    "reason" TEXT,
    "result" JSONB,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completedAt" TIMESTAMPTZ(3),

    CONSTRAINT "director_update_device_pkey" PRIMARY KEY ("updateId","deviceUuid")
);

-- CreateTable
CREATE TABLE "image_added" (
    "id" BIGSERIAL NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "length" BIGINT NOT NULL,
    "uri" TEXT,
    "doneThrough" UUID,
    "addedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "image_added_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "openpgp_key" (
    "namespaceId" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "armored" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3),
    "addedBy" TEXT NOT NULL,
    "addedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "openpgp_key_pkey" PRIMARY KEY ("namespaceId","fingerprint")
);

-- CreateTable
CREATE TABLE "image_signature" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "form" TEXT NOT NULL,
    "signature" BYTEA NOT NULL,
    "document" BYTEA,
    "addedBy" TEXT NOT NULL,
    "addedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "image_signature_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "director_auto_update_namespaceId_targetName_id_idx" ON "director_auto_update"("namespaceId", "targetName", "id");

-- CreateIndex
CREATE UNIQUE INDEX "director_auto_update_deviceUuid_ecuSerial_targetName_key" ON "director_auto_update"("deviceUuid", "ecuSerial", "targetName");

-- CreateIndex
CREATE INDEX "director_update_namespaceId_createdAt_id_idx" ON "director_update"("namespaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "director_update_device_deviceUuid_createdAt_idx" ON "director_update_device"("deviceUuid", "createdAt");

-- CreateIndex
CREATE INDEX "director_update_device_status_scheduledFor_idx" ON "director_update_device"("status", "scheduledFor");

-- CreateIndex
CREATE INDEX "image_signature_namespaceId_filename_idx" ON "image_signature"("namespaceId", "filename");
