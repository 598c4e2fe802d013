-- AlterTable
ALTER TABLE "tuf_repo" ADD COLUMN     "expireNotBefore" TIMESTAMPTZ(3),
ADD COLUMN     "keysStamp" UUID NOT NULL DEFAULT gen_random_uuid();
