import { expect, test } from "bun:test";
import {
  BOWLINE_ENV,
  DIRECTION_ENV,
  IDENTITY_ENV,
  IGNORED_ENV,
  METRIC,
  PROXY_ENV,
  PROXY_ENV_2018,
  SERVICE_ENV,
  SPIRE_BACKOFF_ENV,
} from "@bowline/contracts";
import { FAILURES } from "../../packages/proxy/src/data/failures.ts";
import { FAMILY_ORDER } from "../../packages/proxy/src/data/telemetry/families.ts";
import { CONTROL_FAMILIES } from "../../packages/proxy/src/main/discovery/control/control-series.ts";
import { readTracked } from "./tracked-files.ts";

// docs/proxy.md says what the code says: a variable, cause or metric is added to, or taken out of, both.

const document = readTracked("docs/proxy.md");

test("docs/proxy.md lists exactly the environment variables of contracts/src/env.ts", () => {
  const known = [
    BOWLINE_ENV,
    DIRECTION_ENV,
    IDENTITY_ENV,
    IGNORED_ENV,
    PROXY_ENV,
    PROXY_ENV_2018,
    SERVICE_ENV,
    SPIRE_BACKOFF_ENV,
  ].flatMap(textsIn);
  expect(firstColumn("Environment").sort()).toEqual([...new Set(known)].sort());
});

test("docs/proxy.md lists exactly the failures of proxy/src/data/failures.ts", () => {
  const want = Object.values(FAILURES).map(({ name, status, errorLabel, message }) => [
    `\`${name}\``,
    status === 0 ? "-" : String(status),
    errorLabel,
    message,
  ]);
  expect(rows("Failures")).toEqual(want);
});

test("docs/proxy.md lists exactly the metric families of the proxy", () => {
  const ofTheProcess = Object.values(METRIC).filter((name) => name.startsWith("process_"));
  const main = [METRIC.proxyBuildInfo, METRIC.dataThreadRestartsTotal, ...ofTheProcess];
  const want = [...FAMILY_ORDER, ...CONTROL_FAMILIES].map(({ name }) => name).concat(main);
  expect(firstColumn("Metrics").sort()).toEqual(want.sort());
});

/** All strings in a tree of objects. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** The names in backquotes in the first column of the tables of a section. */
function firstColumn(section: string): string[] {
  return rows(section).flatMap(([first = ""]) => [...first.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
}

/** The tables of a `##` section, without their heads. */
function rows(section: string): string[][] {
  const [, body = ""] = new RegExp(`^## ${section}\n(.*?)(?=^## |(?![^]))`, "ms").exec(document) ?? [];
  const lines = body.split("\n");
  return lines
    .filter((line, at) => line.startsWith("| ") && !line.startsWith("| ---") && !lines[at + 1]?.startsWith("| ---"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}
