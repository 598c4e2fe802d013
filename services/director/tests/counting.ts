import { PrismaPg } from "@prisma/adapter-pg";
import type { Db } from "#lib/db/client.ts";
import { PrismaClient } from "#lib/db/generated/client.ts";

/** A client that counts the statements it sends, BEGIN and COMMIT included. */
export function createCountingDb(databaseUrl: string): {
  db: Db;
  count(run: () => Promise<unknown>): Promise<string[]>;
} {
  const client = new PrismaClient({
    adapter: new PrismaPg({ connectionString: databaseUrl, options: "-c TimeZone=UTC", max: 3 }),
    log: [{ emit: "event", level: "query" }],
  });
  let statements: string[] = [];
  client.$on("query", ({ query }) => statements.push(query));
  return {
    db: client,
    async count(run) {
      statements = [];
      await run();
      return [...statements];
    },
  };
}
