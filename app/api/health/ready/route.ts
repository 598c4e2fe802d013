import { checkReadiness } from "#lib/data/readiness.ts";
import { API_HEADERS } from "#lib/http/problem-response.ts";

export async function GET(): Promise<Response> {
  const readiness = await checkReadiness();
  return Response.json(readiness, { status: readiness.status === "ready" ? 200 : 503, headers: API_HEADERS });
}
