import { describe, expect, test } from "bun:test";
import { ApiError } from "@bowline/kube";
import fc from "fast-check";
import { decodeObject } from "./decode-object.ts";
import { MESSAGES } from "./messages.ts";

/** Writes protobuf by hand: field number and what it holds. */
type Part = readonly [number: number, value: string | number | readonly Part[]];

function encode(parts: readonly Part[]): number[] {
  return parts.flatMap(([number, value]) => {
    if (typeof value === "number") return [...varint(number << 3), ...varint(value)];
    const bytes = typeof value === "string" ? [...new TextEncoder().encode(value)] : encode(value);
    return [...varint((number << 3) | 2), ...varint(bytes.length), ...bytes];
  });
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

function body(apiVersion: string, kind: string, parts: readonly Part[]): Uint8Array {
  const raw: Part = [2, parts];
  return new Uint8Array([
    0x6b,
    0x38,
    0x73,
    0,
    ...encode([
      [
        1,
        [
          [1, apiVersion],
          [2, kind],
        ],
      ],
      raw,
      [3, ""],
      [4, ""],
    ]),
  ]);
}

const META: Part = [
  1,
  [
    [1, "x"],
    [2, ""],
    [8, []],
    [
      11,
      [
        [1, "app"],
        [2, "web"],
      ],
    ],
    [
      11,
      [
        [1, "tier"],
        [2, "1"],
      ],
    ],
  ],
];

describe("an object", () => {
  const rows: [name: string, bytes: Uint8Array, object: unknown][] = [
    [
      "of metadata alone",
      body("v1", "Namespace", [META, [2, []], [3, [[1, "Active"]]]]),
      {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "x", labels: { app: "web", tier: "1" } },
        spec: {},
      },
    ],
    [
      "with bytes",
      body("v1", "Secret", [
        META,
        [
          2,
          [
            [1, "k"],
            [2, "value"],
          ],
        ],
        [3, "Opaque"],
      ]),
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "x", labels: { app: "web", tier: "1" } },
        data: { k: "dmFsdWU=" },
        type: "Opaque",
      },
    ],
    [
      "with inner messages, lists, quantities and zeros that count",
      body("apps/v1", "Deployment", [
        [
          2,
          [
            [1, 0],
            [
              3,
              [
                [
                  2,
                  [
                    [
                      2,
                      [
                        [1, "c"],
                        [3, "run"],
                        [3, "it"],
                        [
                          6,
                          [
                            [2, 0],
                            [3, 80],
                            [4, "TCP"],
                          ],
                        ],
                        [
                          8,
                          [
                            [
                              1,
                              [
                                [1, "cpu"],
                                [2, [[1, "100m"]]],
                              ],
                            ],
                          ],
                        ],
                        [
                          10,
                          [
                            [
                              1,
                              [
                                [
                                  2,
                                  [
                                    [1, "/live"],
                                    [
                                      2,
                                      [
                                        [1, 1],
                                        [2, 0],
                                        [3, "http"],
                                      ],
                                    ],
                                  ],
                                ],
                              ],
                            ],
                            [2, 0],
                            [6, 3],
                          ],
                        ],
                        [
                          11,
                          [
                            [
                              1,
                              [
                                [
                                  3,
                                  [
                                    [
                                      1,
                                      [
                                        [1, 0],
                                        [2, 8080],
                                        [3, ""],
                                      ],
                                    ],
                                  ],
                                ],
                              ],
                            ],
                          ],
                        ],
                        [16, 0],
                      ],
                    ],
                    [
                      1,
                      [
                        [1, "v"],
                        [
                          2,
                          [
                            [
                              19,
                              [
                                [1, [[1, "cm"]]],
                                [3, 0o644],
                                [4, 0],
                              ],
                            ],
                          ],
                        ],
                      ],
                    ],
                  ],
                ],
              ],
            ],
            [5, 0],
          ],
        ],
      ]),
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        spec: {
          replicas: 0,
          template: {
            spec: {
              containers: [
                {
                  name: "c",
                  command: ["run", "it"],
                  ports: [{ containerPort: 80, protocol: "TCP" }],
                  resources: { limits: { cpu: "100m" } },
                  livenessProbe: { httpGet: { path: "/live", port: "http" }, failureThreshold: 3 },
                  readinessProbe: { tcpSocket: { port: 8080 } },
                },
              ],
              volumes: [{ name: "v", configMap: { name: "cm", defaultMode: 420, optional: false } }],
            },
          },
        },
      },
    ],
    [
      "with negative numbers and times",
      body("v1", "Event", [
        [
          6,
          [
            [1, 1700000000],
            [2, 0],
          ],
        ],
        [
          10,
          [
            [1, 1700000000],
            [2, 123456789],
          ],
        ],
        [8, -1],
      ]),
      {
        apiVersion: "v1",
        kind: "Event",
        firstTimestamp: "2023-11-14T22:13:20Z",
        eventTime: "2023-11-14T22:13:20.123456Z",
        count: -1,
      },
    ],
    [
      "with extra values",
      body("authorization.k8s.io/v1", "SubjectAccessReview", [
        [
          2,
          [
            [3, "u"],
            [
              5,
              [
                [1, "k"],
                [
                  2,
                  [
                    [1, "a"],
                    [1, "b"],
                  ],
                ],
              ],
            ],
          ],
        ],
      ]),
      {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: { user: "u", extra: { k: ["a", "b"] } },
      },
    ],
  ];
  for (const [name, bytes, object] of rows) {
    test(name, () => {
      expect(decodeObject(bytes)).toEqual(object as Record<string, unknown>);
    });
  }
});

describe("refused is", () => {
  const rows: [name: string, bytes: Uint8Array, code: number, says: string][] = [
    ["what is no protobuf", new TextEncoder().encode("{}"), 400, "not Kubernetes protobuf"],
    ["an unknown kind", body("v1", "Gadget", []), 415, "kind Gadget"],
    ["a field nobody knows, rather than lost", body("v1", "ConfigMap", [[99, "x"]]), 415, "field 99 of ConfigMap"],
    ["a field of another wire type", body("v1", "ConfigMap", [[1, 5]]), 400, "wire type"],
    ["a message cut short", body("v1", "ConfigMap", [META]).slice(0, -8), 400, "it ends within"],
  ];
  for (const [name, bytes, code, says] of rows) {
    test(name, () => {
      const refusal = thrownBy(() => decodeObject(bytes)) as ApiError;
      expect(refusal).toBeInstanceOf(ApiError);
      expect(refusal.code).toBe(code);
      expect(refusal.message).toContain(says);
    });
  }

  test("or taken, any bytes", () => {
    const kinds = fc.constantFrom("Pod", "Deployment", "Secret", "Event", "SubjectAccessReview");
    fc.assert(
      fc.property(kinds, fc.uint8Array({ maxLength: 60 }), (kind, bytes) => {
        const whole = new Uint8Array([
          0x6b,
          0x38,
          0x73,
          0,
          ...encode([[1, [[2, kind]]]]),
          0x12,
          bytes.length,
          ...bytes,
        ]);
        const error = thrownBy(() => decodeObject(whole));
        if (error !== undefined) expect(error).toBeInstanceOf(ApiError);
      }),
      { numRuns: 300 },
    );
  });
});

test("every message that a field names is in the table", () => {
  const scalars = new Set([
    "",
    "int",
    "bool",
    "bytes",
    "Quantity",
    "Time",
    "MicroTime",
    "IntOrString",
    "ExtraValue",
    "-",
  ]);
  for (const [message, text] of Object.entries(MESSAGES)) {
    const numbers = new Set<string>();
    for (const line of text.split("; ")) {
      const [number = "", name = "", type = ""] = line.split(" ");
      expect(number).toMatch(/^\d+$/);
      expect(name).not.toBe("");
      expect([message, number, numbers.has(number)]).toEqual([message, number, false]);
      numbers.add(number);
      const inner = type.replace(/^[[{]|^\.\.\.|[\]}?]$/g, "");
      expect([message, name, scalars.has(inner) || MESSAGES[inner] !== undefined]).toEqual([message, name, true]);
    }
  }
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}
