import { describe, expect, test } from "bun:test";
import { addressSetting, durationSetting, portSetting, SettingError, shareSetting } from "./settings.ts";

describe("a setting", () => {
  const readers = {
    port: (text: string) => portSetting({ X: text }, "X", 7),
    share: (text: string) => shareSetting({ X: text }, "X", 1),
    duration: (text: string) => durationSetting({ X: text }, "X", 3),
    address: (text: string) => addressSetting({ X: text }, "X"),
  };
  const rows: [keyof typeof readers, string, number | string | undefined][] = [
    ["port", "", 7],
    ["port", "0", 0],
    ["port", "65535", 65535],
    ["port", "65536", undefined],
    ["port", "80.5", undefined],
    ["port", "http", undefined],
    ["share", "", 1],
    ["share", "0", 0],
    ["share", "0.25", 0.25],
    ["share", "1.1", undefined],
    ["share", "-1", undefined],
    ["duration", "", 3],
    ["duration", "250ms", 250],
    ["duration", "1.5s", 1500],
    ["duration", "2m", 120_000],
    ["duration", "20", 20],
    ["duration", "1 day", undefined],
    ["address", "emoji-svc.emojivoto:8080", "emoji-svc.emojivoto:8080"],
    ["address", "[::1]:80", "[::1]:80"],
    ["address", "", undefined],
    ["address", "emoji-svc", undefined],
    ["address", "::1:80", undefined],
  ];
  test.each(rows)("%s %p is %p", (kind, text, want) => {
    if (want === undefined) expect(() => readers[kind](text)).toThrow(SettingError);
    else expect<unknown>(readers[kind](text)).toBe(want);
  });
});
