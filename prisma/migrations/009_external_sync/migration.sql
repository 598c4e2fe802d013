-- CreateTable
CREATE TABLE "sync_state" (
    "namespaceId" TEXT NOT NULL,
    "crawl" INTEGER NOT NULL DEFAULT 1,
    "offset" INTEGER NOT NULL DEFAULT 0,
    "startedAt" TIMESTAMPTZ(3) NOT NULL,
    "finishedAt" TIMESTAMPTZ(3),
    "leaseUntil" TIMESTAMPTZ(3),

    CONSTRAINT "sync_state_pkey" PRIMARY KEY ("namespaceId")
);

-- CreateTable
CREATE TABLE "sync_device" (
    "namespaceId" TEXT NOT NULL,
    "uuid" UUID NOT NULL,
    "dirtyAt" TIMESTAMPTZ(3),
    "urgent" BOOLEAN NOT NULL DEFAULT false,
    "notBefore" TIMESTAMPTZ(3),
    "seenInCrawl" INTEGER NOT NULL DEFAULT 0,
    "digest" TEXT,
    "goneSince" TIMESTAMPTZ(3),

    CONSTRAINT "sync_device_pkey" PRIMARY KEY ("namespaceId","uuid")
);

-- CreateIndex
CREATE INDEX "sync_device_namespaceId_urgent_dirtyAt_idx" ON "sync_device"("namespaceId", "urgent", "dirtyAt");
