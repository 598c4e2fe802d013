-- AlterTable
ALTER TABLE "notice" ADD COLUMN     "acknowledgedAt" TIMESTAMPTZ(3),
ADD COLUMN     "acknowledgedBy" TEXT;

-- AlterTable
ALTER TABLE "refused_attempt" ADD COLUMN     "addresses" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- CreateIndex
CREATE INDEX "notice_namespaceId_settledAt_at_id_idx" ON "notice"("namespaceId", "settledAt", "at", "id");

UPDATE "refused_attempt" SET "addresses" = ARRAY["address"];
