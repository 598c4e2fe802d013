import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { REFUSALS } from "#lib/domain/refusals.ts";
import { ADMISSION_CODES } from "#lib/pki/admission.ts";
import { ENROLMENT_REFUSALS } from "#services/enrolment/refusals.ts";
import type { ProvisioningRefusal } from "#services/identity/service.ts";

const PROVISIONING: Readonly<Record<ProvisioningRefusal["code"], true>> = {
  not_a_provisioning_certificate: true,
  provisioning_revoked: true,
  provisioning_not_yet_valid: true,
  provisioning_expired: true,
  provisioning_exhausted: true,
  device_already_registered: true,
  address_not_allowed: true,
  subject_not_allowed: true,
  key_type_not_allowed: true,
  validity_too_long: true,
  too_many_newcomers: true,
};

it("every code of the door is explained", () => {
  const explained = Object.keys(REFUSALS);
  for (const code of [...ADMISSION_CODES, ...ENROLMENT_REFUSALS, ...Object.keys(PROVISIONING)]) {
    expect(explained).toContain(code);
  }
});

it("the guide has a row for each, in the words of the console, and no other", () => {
  const guide = readFileSync(new URL("../docs/guides/refused.md", import.meta.url), "utf8");
  const rows = guide.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows).toEqual(Object.entries(REFUSALS).map(([code, it]) => `| \`${code}\` | ${it.meaning} | ${it.mend} |`));
});
