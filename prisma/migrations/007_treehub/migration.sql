-- CreateTable
CREATE TABLE "treehub_object" (
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "blobKey" TEXT NOT NULL,
    "length" BIGINT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "treehub_object_pkey" PRIMARY KEY ("namespaceId","name")
);

-- CreateTable
CREATE TABLE "treehub_ref" (
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "treehub_ref_pkey" PRIMARY KEY ("namespaceId","name")
);

-- CreateTable
CREATE TABLE "treehub_manifest" (
    "namespaceId" TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    "bytes" BYTEA NOT NULL,
    "receivedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "treehub_manifest_pkey" PRIMARY KEY ("namespaceId","commit")
);

-- CreateTable
CREATE TABLE "treehub_delta" (
    "namespaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "fromCommit" TEXT NOT NULL,
    "toCommit" TEXT NOT NULL,
    "superblockSha256" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "treehub_delta_pkey" PRIMARY KEY ("namespaceId","id")
);

-- CreateTable
CREATE TABLE "treehub_delta_file" (
    "namespaceId" TEXT NOT NULL,
    "deltaId" TEXT NOT NULL,
    "file" TEXT NOT NULL,
    "blobKey" TEXT NOT NULL,
    "length" BIGINT NOT NULL,

    CONSTRAINT "treehub_delta_file_pkey" PRIMARY KEY ("namespaceId","deltaId","file")
);

-- CreateIndex
CREATE UNIQUE INDEX "treehub_object_blobKey_key" ON "treehub_object"("blobKey");

-- CreateIndex
CREATE INDEX "treehub_delta_namespaceId_toCommit_idx" ON "treehub_delta"("namespaceId", "toCommit");

-- CreateIndex
CREATE INDEX "treehub_delta_namespaceId_fromCommit_idx" ON "treehub_delta"("namespaceId", "fromCommit");

-- CreateIndex
CREATE INDEX "treehub_delta_state_updatedAt_idx" ON "treehub_delta"("state", "updatedAt");

-- CreateIndex
CREATE UNIQUE INDEX "treehub_delta_file_blobKey_key" ON "treehub_delta_file"("blobKey");

-- AddForeignKey
ALTER TABLE "treehub_delta_file" ADD CONSTRAINT "treehub_delta_file_namespaceId_deltaId_fkey" FOREIGN KEY ("namespaceId", "deltaId") REFERENCES "treehub_delta"("namespaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;
