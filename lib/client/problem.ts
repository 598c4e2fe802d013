/** What the console API says when it refuses (RFC 9457), as an error a component can show. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly requestId: string | null;
  readonly fieldErrors: readonly FieldError[];

  constructor(problem: {
    status: number;
    code: string;
    title: string;
    detail: string;
    requestId: string | null;
    fieldErrors?: readonly FieldError[];
  }) {
    super(problem.detail);
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.requestId = problem.requestId;
    this.fieldErrors = problem.fieldErrors ?? [];
  }
}

export type FieldError = { path: string; message: string };

/** The console itself did not answer: no status, no body. */
export function unreachable(cause: unknown): ApiProblem {
  const problem = new ApiProblem({
    status: 0,
    code: "console.unreachable",
    title: "The console does not answer",
    detail: "The browser got no reply from this console. It may be restarting, or the network is down.",
    requestId: null,
  });
  problem.cause = cause;
  return problem;
}

export async function readProblem(response: Response): Promise<ApiProblem> {
  const body: unknown = await response.json().catch(() => null);
  const text = (name: string) => {
    const value = isRecord(body) ? body[name] : undefined;
    return typeof value === "string" ? value : null;
  };
  return new ApiProblem({
    status: response.status,
    code: text("code") ?? "internal.error",
    title: text("title") ?? `The console answered ${response.status}`,
    detail: text("detail") ?? "It gave no reason that this page understands.",
    requestId: text("requestId") ?? response.headers.get("x-request-id"),
    fieldErrors: fieldErrorsOf(isRecord(body) ? body.errors : undefined),
  });
}

function fieldErrorsOf(errors: unknown): FieldError[] {
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((entry: unknown) => {
    if (!isRecord(entry) || typeof entry.message !== "string") return [];
    const path = Array.isArray(entry.path) ? entry.path.join(".") : typeof entry.path === "string" ? entry.path : "";
    return [{ path, message: entry.message }];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
