import { ApiError } from "@bowline/kube";
import type { GoldenQueries } from "../query/golden-queries.ts";
import { parseStatQuery, type StatAnswer, type StatRequest } from "./stat-request.ts";
import { type ClusterView, statSummary } from "./stat-summary.ts";

export interface StatService {
  readonly cluster: ClusterView;
  readonly queries: GoldenQueries;
  readonly windowMaxMs: number;
  /** False until the cluster's objects are known: rows would be missing. */
  readonly isReady: () => boolean;
}

/** Answers `GET /api/stat`: rows as JSON, or an error's text with 400 (the question), 404, 405, 502 (Prometheus) or 503. */
export async function answerStat(request: Request, service: StatService): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname !== "/api/stat") return fault(404, `nothing at ${url.pathname}; there is /api/stat`);
  if (request.method !== "GET") return fault(405, `${request.method} is not possible here: GET is`);
  if (!service.isReady()) return fault(503, "the metrics service is still reading the cluster: try again in a moment");
  let question: StatRequest;
  try {
    question = parseStatQuery(url.searchParams, service.windowMaxMs);
  } catch (error) {
    return fault(400, messageOf(error));
  }
  try {
    const answer: StatAnswer = { rows: await statSummary(question, service.cluster, service.queries) };
    return Response.json(answer);
  } catch (error) {
    // A selector that can't be read is the asker's fault, what else goes wrong is that of whoever keeps the metrics.
    return error instanceof ApiError ? fault(error.code, error.message) : fault(502, messageOf(error));
  }
}

function fault(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
