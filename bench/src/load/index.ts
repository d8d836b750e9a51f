import type { Load } from "../cases.ts";
import type { Lab } from "../lab.ts";
import { checkBulk, runBulk } from "./bulk.ts";
import { checkResponse, runRequests } from "./requests.ts";
import { checkStream, runStreams } from "./streams.ts";

/** The unit is a request or, for bulk, a GiB. */
export interface LoadReport {
  readonly units: number;
  readonly seconds: number;
  /** Only where there are requests. */
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly errors: number;
}

const GIB = 2 ** 30;

/** @throws Error when the load generator fails */
export async function runLoad(lab: Lab, port: number, load: Load, seconds: number): Promise<LoadReport> {
  switch (load.kind) {
    case "requests": {
      const { requests, ...rest } = await runRequests(lab, port, load, seconds);
      return { units: requests, ...rest };
    }
    case "streams": {
      const { requests, ...rest } = await runStreams(lab, port, load, seconds);
      return { units: requests, ...rest };
    }
    case "bulk": {
      const report = await runBulk(lab, port, load, seconds);
      return { units: report.bytes / GIB, seconds: report.seconds, errors: 0 };
    }
    case "held":
    case "idle-streams":
      throw new Error(`${load.kind} has nothing to time`);
  }
}

/** @throws Error when an answer is not the backend's */
export async function checkAnswers(lab: Lab, port: number, load: Load): Promise<void> {
  switch (load.kind) {
    case "requests":
    case "held":
      return checkResponse(lab, port, load.path);
    case "streams":
      return checkStream(lab, port, load);
    case "bulk":
      return checkBulk(lab, port);
    case "idle-streams":
      // Its own load generator looks at every answer.
      return;
  }
}
