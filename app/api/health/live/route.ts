import { API_HEADERS } from "#lib/http/problem-response.ts";

export async function GET(): Promise<Response> {
  return Response.json({ status: "ok" }, { headers: API_HEADERS });
}
