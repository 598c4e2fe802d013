-- AlterTable
ALTER TABLE "device_certificate" ADD COLUMN     "enrolledWith" UUID;
