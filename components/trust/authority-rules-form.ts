import type { AuthorityRules, ChangeAuthority, NewcomerRules } from "#lib/contracts/console/authorities.ts";

/** The rules as people type them. */
export type RulesForm = {
  name: string;
  policy: AuthorityRules["policy"];
  deviceId: AuthorityRules["deviceId"];
  subjectPattern: string;
  keyTypes: AuthorityRules["keyTypes"];
  maxValidityDays: string;
  newcomersPerHour: string;
  sourceNetworks: string;
  certificateDays: string;
  graceDays: string;
  waitingDays: string;
  note: string;
};

export function toForm({ name, rules }: { name: string; rules: AuthorityRules }): RulesForm {
  return {
    name,
    policy: rules.policy,
    deviceId: rules.deviceId,
    subjectPattern: rules.subjectPattern ?? "",
    keyTypes: rules.keyTypes,
    maxValidityDays: rules.maxValidityDays?.toString() ?? "",
    newcomersPerHour: rules.newcomersPerHour?.toString() ?? "",
    sourceNetworks: rules.sourceNetworks.join(", "),
    certificateDays: String(rules.certificateDays),
    graceDays: String(rules.graceDays),
    waitingDays: String(rules.waitingDays),
    note: rules.note ?? "",
  };
}

export function toNewcomerRules(form: RulesForm): NewcomerRules {
  return {
    subjectPattern: textOf(form.subjectPattern),
    keyTypes: form.keyTypes,
    maxValidityDays: numberOf(form.maxValidityDays),
  };
}

export function toChange(form: RulesForm): ChangeAuthority {
  return {
    ...toNewcomerRules(form),
    name: form.name.trim(),
    policy: form.policy,
    deviceId: form.deviceId,
    newcomersPerHour: numberOf(form.newcomersPerHour),
    sourceNetworks: form.sourceNetworks.split(/[\s,]+/).filter((network) => network !== ""),
    certificateDays: Number(form.certificateDays),
    graceDays: Number(form.graceDays),
    waitingDays: Number(form.waitingDays),
    note: textOf(form.note),
  };
}

function textOf(text: string): string | null {
  return text.trim() === "" ? null : text.trim();
}

function numberOf(text: string): number | null {
  return text.trim() === "" ? null : Number(text);
}
