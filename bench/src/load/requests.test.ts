import { expect, test } from "bun:test";
import { parseWrkReport } from "./requests.ts";

test("the report is found among what wrk itself prints", () => {
  const output = `Running 2s test @ http://127.0.0.1:9001/small
  Latency   1.10ms  200.00us   3.1ms   80.00%
{"requests":5000,"durationUs":2000500,"bytes":900000,"p50Us":1010,"p99Us":2020,"errors":{"connect":1,"read":2,"write":0,"status":4,"timeout":0}}
`;
  expect(parseWrkReport(output)).toEqual({ requests: 5000, seconds: 2.0005, p50Us: 1010, p99Us: 2020, errors: 7 });
});

test("output without a report is an error that shows it", () => {
  expect(() => parseWrkReport("unable to connect\n")).toThrow("unable to connect");
});
