/** One line of the report that `npm run contracts` prints: an endpoint of a contract and what proves it. */
export type ContractEndpoint = {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As the contract writes it, with the base path and Fastify's `:name` or `*` for parameters: `/api/v1/devices/:uuid`. */
  readonly path: string;
  /** Which of several forms of one path: "with JSON body", "[B]". */
  readonly form?: string;
  /** The clause, e.g. "device-registry.md 2.1". */
  readonly contract: string;
} & (
  | {
      /** The test that shows it: its file, and its title exactly as written there. */
      readonly test: { readonly file: string; readonly title: string };
    }
  | { /** Why it is deliberately not there. */ readonly absent: string }
);

/** An endpoint of one service, in a table: its section of the contract, and a test of the service's folder. */
export type Row = readonly [
  method: ContractEndpoint["method"],
  path: string,
  section: string,
  test: readonly [file: string, title: string],
  form?: string,
];

/** @param at what the table's paths, sections and tests are relative to */
export function rowsToEndpoints(
  at: { base: string; contract: string; tests: string },
  rows: readonly Row[],
): readonly ContractEndpoint[] {
  return rows.map(([method, path, section, [file, title], form]) => ({
    method,
    path: `${at.base}${path}`,
    ...(form === undefined ? {} : { form }),
    contract: `${at.contract} ${section}`,
    test: { file: `${at.tests}/${file}.test.ts`, title },
  }));
}
