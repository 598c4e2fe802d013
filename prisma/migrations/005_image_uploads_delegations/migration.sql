-- AlterTable
ALTER TABLE "image_target" ADD COLUMN     "cliUploaded" BOOLEAN;

-- AlterTable
ALTER TABLE "image_verification" ADD COLUMN     "sha256" TEXT;

-- CreateTable
CREATE TABLE "image_upload" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "length" BIGINT NOT NULL,
    "partSize" INTEGER NOT NULL,
    "expectSha256" TEXT,
    "fields" JSONB,
    "sha256" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "touchedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "image_upload_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "image_upload_part" (
    "uploadId" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    "md5" TEXT NOT NULL,
    "length" INTEGER NOT NULL,

    CONSTRAINT "image_upload_part_pkey" PRIMARY KEY ("uploadId","number")
);

-- CreateTable
CREATE TABLE "image_delegations" (
    "namespaceId" TEXT NOT NULL,
    "keys" JSONB NOT NULL,
    "roles" JSONB NOT NULL,

    CONSTRAINT "image_delegations_pkey" PRIMARY KEY ("namespaceId")
);

-- CreateTable
CREATE TABLE "image_delegation" (
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "bytes" BYTEA,
    "checksum" TEXT,
    "version" INTEGER,
    "expiresAt" TIMESTAMPTZ(3),
    "friendlyName" TEXT,
    "remoteUri" TEXT,
    "sealedHeaders" BYTEA,
    "lastFetchedAt" TIMESTAMPTZ(3),
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "image_delegation_pkey" PRIMARY KEY ("namespaceId","name")
);

-- CreateTable
CREATE TABLE "image_delegated_target" (
    "namespaceId" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "length" BIGINT NOT NULL,
    "custom" JSONB,
    "name" TEXT,
    "version" TEXT,
    "hardwareIds" TEXT[],
    "uri" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "image_delegated_target_pkey" PRIMARY KEY ("namespaceId","role","filename")
);

-- CreateTable
CREATE TABLE "image_sbom" (
    "namespaceId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "uri" TEXT NOT NULL,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "image_sbom_pkey" PRIMARY KEY ("namespaceId","filename")
);

-- CreateTable
CREATE TABLE "repository_pin" (
    "namespaceId" TEXT NOT NULL,
    "repository" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "bytes" BYTEA NOT NULL,
    "pinnedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "repository_pin_pkey" PRIMARY KEY ("namespaceId","repository")
);

-- CreateIndex
CREATE INDEX "image_upload_namespaceId_filename_idx" ON "image_upload"("namespaceId", "filename");

-- CreateIndex
CREATE INDEX "image_upload_touchedAt_idx" ON "image_upload"("touchedAt");

-- CreateIndex
CREATE INDEX "image_upload_sha256_idx" ON "image_upload"("sha256");

-- CreateIndex
CREATE INDEX "image_upload_part_sha256_idx" ON "image_upload_part"("sha256");

-- CreateIndex
CREATE INDEX "image_delegated_target_namespaceId_filename_idx" ON "image_delegated_target"("namespaceId", "filename");

-- AddForeignKey
ALTER TABLE "image_upload_part" ADD CONSTRAINT "image_upload_part_uploadId_fkey" FOREIGN KEY ("uploadId") REFERENCES "image_upload"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "image_delegated_target" ADD CONSTRAINT "image_delegated_target_namespaceId_role_fkey" FOREIGN KEY ("namespaceId", "role") REFERENCES "image_delegation"("namespaceId", "name") ON DELETE CASCADE ON UPDATE CASCADE;
