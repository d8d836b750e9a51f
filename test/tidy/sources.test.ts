import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { posix } from "node:path";
import { VERSION } from "@bowline/contracts";
import { ROOT, readTracked, trackedFiles } from "./tracked-files.ts";

const LINES_MAX = 600;

/** Written by programs, or captured as they came. */
const NOT_OURS = /(^|\/)package-lock\.json$|^test\/corpus\/|(^|\/)(gen|generated|testdata)\//;
const TEXT = /\.(ts|sh|md|json|c|h|toml|yaml|yml|proto|css|html)$|(^|\/)(Makefile|\.npmrc|\.gitignore)$|^\.ci\//;
const NAMED_FREELY = /(^|\/)(README|ARCHITECTURE|CHANGELOG|RESULTS|CONTRIBUTING|LICENSE)(\.md)?$|(^|\/)Makefile$/;

/** Written in two parts where this file would otherwise find itself. */
const UNFINISHED = new RegExp(String.raw`\b(?:TO${"DO"}|FIX${"ME"}|X${"XX"}|HA${"CK"}|not ${"implemented"})\b`);
const MACHINE_PATH = /(?<![\w.$}*/])\/(?:work|root|home)\/\w/;
const PRIVATE_HOST = /\b[\w-]+\.(?:[\w-]+\.)*(?:internal|corp|intranet|lan)\b(?![(\w])/;

const files = trackedFiles().filter((path) => TEXT.test(path) && !NOT_OURS.test(path));

test("nothing is left unfinished", () => {
  const failures = linesMatching(UNFINISHED);
  expect(failures.map((where) => `${where}: finish it, or open an issue and take the note out`)).toEqual([]);
});

test(`no file is longer than ${LINES_MAX} lines`, () => {
  const long = files.filter((path) => readTracked(path).split("\n").length - 1 > LINES_MAX);
  expect(long.map((path) => `${path}: split it by responsibility, each part named for its own`)).toEqual([]);
});

test("files and folders are named in kebab-case", () => {
  const kebab = /^\.?[a-z0-9]+(?:[-.][a-z0-9]+)*$/;
  const odd = files.filter((path) => !NAMED_FREELY.test(path) && !path.split("/").every((part) => kebab.test(part)));
  expect(odd).toEqual([]);
});

test("every relative link in a document leads somewhere", () => {
  const broken: string[] = [];
  for (const path of files.filter((name) => name.endsWith(".md"))) {
    const prose = readTracked(path).replaceAll(/^```.*?^```/gms, "");
    for (const [, target = ""] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(?:[a-z]+:|#)/.test(target)) continue;
      const file = posix.join(posix.dirname(path), target.replace(/#.*$/, ""));
      if (!existsSync(`${ROOT}/${file}`)) broken.push(`${path} links to ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test("no path or host of someone's machine", () => {
  const failures = [...linesMatching(MACHINE_PATH), ...linesMatching(PRIVATE_HOST)];
  expect(failures.map((where) => `${where}: use a path from the repository's root, or a documentation name`)).toEqual(
    [],
  );
});

test("the lock file names packages by version, not by the registry they came from", () => {
  expect(readTracked("package-lock.json")).not.toMatch(/"resolved": "https?:/);
});

test("all packages have the version that the programs print", () => {
  const manifests = trackedFiles().filter((path) => /^(packages\/[^/]+\/)?package\.json$/.test(path));
  const versions = manifests.map((path) => (JSON.parse(readTracked(path)) as { version: string }).version);
  expect(new Set(versions)).toEqual(new Set([VERSION]));
});

function linesMatching(pattern: RegExp): string[] {
  return files.flatMap((path) =>
    readTracked(path)
      .split("\n")
      .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1} ${line.trim().slice(0, 100)}`] : [])),
  );
}
