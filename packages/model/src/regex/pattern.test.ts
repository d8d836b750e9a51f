import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compilePattern, Pattern } from "./pattern.ts";

describe("matches the whole text", () => {
  const rows: { pattern: string; yes: string[]; no: string[] }[] = [
    { pattern: "", yes: [""], no: ["a"] },
    { pattern: "/api/.*", yes: ["/api/", "/api/x/y"], no: ["/api", "x/api/"] },
    { pattern: "^/a$", yes: ["/a"], no: ["/a/", ""] },
    { pattern: "a|ab", yes: ["a", "ab"], no: ["b", "abb"] },
    { pattern: "^a|b$", yes: ["a", "b"], no: ["ab", "axb"] },
    { pattern: "/users/\\d+(/posts)?", yes: ["/users/1", "/users/42/posts"], no: ["/users/", "/users/x"] },
    { pattern: "/[^/]*/x", yes: ["/a/x", "//x"], no: ["/a/b/x"] },
    { pattern: "(?i)/Book", yes: ["/book", "/BOOK"], no: ["/look"] },
    { pattern: "a(?i:b)c", yes: ["abc", "aBc"], no: ["Abc", "abC"] },
    { pattern: "(?i)a(?-i)b", yes: ["ab", "Ab"], no: ["aB"] },
    { pattern: "(a(?i)b|c)d", yes: ["abd", "aBd", "Cd"], no: ["abD"] },
    { pattern: "(?P<id>[0-9]{2,3})", yes: ["12", "123"], no: ["1", "1234"] },
    { pattern: "(?<id>a{2})b{1,}", yes: ["aab", "aabbb"], no: ["ab", "aa"] },
    { pattern: "a{0}b", yes: ["b"], no: ["ab"] },
    { pattern: "\\.\\-\\/\\#", yes: [".-/#"], no: ["a-/#"] },
    { pattern: "[\\w.-]+", yes: ["a_b.c-1", "é"], no: ["", "a b"] },
    { pattern: "[]a]+", yes: ["]a"], no: ["b"] },
    { pattern: "[^]a]", yes: ["b"], no: ["]", "a"] },
    { pattern: "[a-z&&[^aeiou]]+", yes: ["xyz"], no: ["xaz"] },
    { pattern: "[a-z--m]+", yes: ["az"], no: ["m"] },
    { pattern: "[a-c~~b-d]+", yes: ["ad"], no: ["b", "c"] },
    { pattern: "[[:alpha:]_][[:^digit:]]", yes: ["_a", "bz"], no: ["1a", "a1"] },
    { pattern: "[a-]", yes: ["a", "-"], no: ["b"] },
    { pattern: "\\pL+\\p{Greek}", yes: ["aα"], no: ["a1"] },
    { pattern: "\\P{L}", yes: ["1"], no: ["a"] },
    { pattern: "\\x41\\x{1F600}\\u00e9", yes: ["A😀é"], no: ["A😀e"] },
    { pattern: ".", yes: ["a", "😀", "\r"], no: ["\n", "ab"] },
    { pattern: "(?s).", yes: ["\n"], no: [""] },
    { pattern: "(?x) a # a comment\n b ", yes: ["ab"], no: ["a b"] },
    { pattern: ".*\\bfoo\\b.*", yes: ["a foo b", "foo"], no: ["afoo", "food"] },
    { pattern: "a\\Bb", yes: ["ab"], no: ["a b"] },
    { pattern: "\\Aa\\z", yes: ["a"], no: ["aa"] },
    { pattern: "(a|^)^b", yes: ["b"], no: ["ab"] },
    { pattern: "a$b", yes: [], no: ["ab", "a$b"] },
    { pattern: "(a*)*b", yes: ["b", "aaab"], no: ["a"] },
    { pattern: "a*?b+?c??", yes: ["bc", "aab"], no: ["ac"] },
  ];
  for (const { pattern, yes, no } of rows) {
    test(pattern, () => {
      const compiled = new Pattern(pattern);
      // Twice: the second time by kept states.
      for (const text of [...yes, ...yes]) expect([text, compiled.matches(text)]).toEqual([text, true]);
      for (const text of [...no, ...no]) expect([text, compiled.matches(text)]).toEqual([text, false]);
    });
  }
});

test("names the pattern that does not compile and the reason", () => {
  const rows = [
    ["a(", "unclosed group"],
    ["a)", "unmatched )"],
    ["[a", "unclosed character class"],
    ["*a", "nothing to repeat"],
    ["a{2", "unclosed counted repetition"],
    ["a{3,2}", "ends before it begins"],
    ["a{5000}", "repetition of more than"],
    ["((a{100}){100}){100}", "too large"],
    ["[z-a]", "ends before it begins"],
    ["(?=a)", "not supported"],
    ["(?<=a)", "not supported"],
    ["\\1", "unknown escape"],
    ["\\p{Nonsense}", "unknown Unicode property"],
    ["a\\", "ends too early"],
    ["(".repeat(200), "nested too deeply"],
  ] as const;
  for (const [pattern, reason] of rows) {
    const result = compilePattern(pattern);
    const fault = "fault" in result ? result.fault : "none";
    expect(fault).toContain(JSON.stringify(pattern));
    expect(fault).toContain(reason);
  }
});

test("agrees with the runtime's engine on random expressions and texts", () => {
  const leaf = fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\w", "^", "$", "\\b", "\\B", "");
  const { regex } = fc.letrec<{ regex: string }>((tie) => ({
    regex: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.tuple(tie("regex"), tie("regex")).map(([a, b]) => `(?:${a})(?:${b})`),
      fc.tuple(tie("regex"), tie("regex")).map(([a, b]) => `(?:${a}|${b})`),
      fc
        .tuple(tie("regex"), fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?"))
        .map(([a, times]) => `(?:${a})${times}`),
    ),
  }));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "-", "é", "😀"), maxLength: 8 });
  fc.assert(
    fc.property(regex, fc.array(text, { maxLength: 8 }), (source, texts) => {
      const pattern = new Pattern(source);
      const judge = new RegExp(`^(?:${source})$`, "u");
      for (const each of texts) {
        // The runtime's \w and \b know ASCII only.
        if (/\\[wbB]/.test(source) && /\P{ASCII}/u.test(each)) continue;
        expect([each, pattern.matches(each)]).toEqual([each, judge.test(each)]);
      }
    }),
    { numRuns: 400 },
  );
});

test("takes time linear in the text where backtracking would take forever", () => {
  for (const source of ["(a+)+", "(a|a)*", "(.*a){20}", "(a*)*b", "(\\w+\\s?)*"]) {
    const pattern = new Pattern(source);
    expect(pattern.matches(`${"a".repeat(5000)}!`)).toBe(false);
  }
});

test("forgets states instead of keeping more than so many", () => {
  const pattern = new Pattern("(.*a.{9})|(b*)");
  const random = fc.sample(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 200, maxLength: 200 }), {
    numRuns: 30,
    seed: 7,
  });
  for (const text of random) expect(pattern.matches(text)).toBe(text.at(-10) === "a" || /^b*$/.test(text));
});
