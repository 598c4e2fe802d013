import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import type { GroupExpression, GroupSubject } from "#lib/domain/group-expression.ts";

/**
 * An expression as a condition on `registry_device AS d`. Case does not count. A device without the tag, or with too short a value,
 * has no character at that position: `is` fails there, `is not` holds.
 *
 * @see contracts/device-registry.md section 5.1
 */
export function conditionOf(expression: GroupExpression): Prisma.Sql {
  switch (expression.kind) {
    case "and":
    case "or": {
      const separator = expression.kind === "and" ? " AND " : " OR ";
      return Prisma.sql`(${Prisma.join(expression.operands.map(conditionOf), separator)})`;
    }
    case "contains": {
      const pattern = `%${escapeLike(expression.word)}%`;
      return onText(expression.subject, (text) => Prisma.sql`${text} ILIKE ${pattern}`);
    }
    case "position": {
      const { subject, position, character, negated } = expression;
      const isThere = onText(
        subject,
        (text) => Prisma.sql`lower(substr(${text}, ${position}::int, 1)) = lower(${character}::text)`,
      );
      return negated ? Prisma.sql`(NOT ${isThere})` : isThere;
    }
  }
}

/** By the tag's primary key, one look a device: a condition on the namespace would tempt the planner to another index right after an import. */
function onText(subject: GroupSubject, test: (text: Prisma.Sql) => Prisma.Sql): Prisma.Sql {
  if (subject.kind === "deviceId") return Prisma.sql`(${test(Prisma.sql`d."deviceId"`)})`;
  return Prisma.sql`EXISTS (SELECT 1 FROM registry_tag AS t WHERE t."deviceUuid" = d.uuid AND t."tagId" = ${subject.tagId}
    AND ${test(Prisma.sql`t.value`)})`;
}
