import { expect, test } from "bun:test";
import { DEFAULT_CONFIG, parseClusterConfig } from "./cluster-config.ts";

const FULL = `
families: dual
addressReuse: first
images:
  - image: "*/web"          # any registry
    command: [/bin/web, --port=80]
    args: [--verbose]
    env: { PORT: "80" }
    workingDir: /srv
    user: 1000
    layers: [/opt/web]
  - { image: cache }
`;

test("everything that can be said is read", () => {
  expect(parseClusterConfig(FULL, "c.yaml")).toEqual({
    families: "dual",
    addressReuse: "first",
    images: [
      {
        image: "*/web",
        command: ["/bin/web", "--port=80"],
        args: ["--verbose"],
        env: { PORT: "80" },
        workingDir: "/srv",
        user: 1000,
        layers: ["/opt/web"],
      },
      { image: "cache" },
    ],
  });
});

test.each(["", "# nothing\n", "{}", "images: []"])("%j leaves the defaults", (text) => {
  expect(parseClusterConfig(text, "c.yaml")).toEqual(DEFAULT_CONFIG);
});

const FAULTS: readonly [text: string, messages: readonly (string | RegExp)[]][] = [
  ["images: [", [/^c\.yaml:1:10: Flow sequence/]],
  ["a: 1\na: 2", [/^c\.yaml:2:1: Map keys must be unique/]],
  ["- x", ["c.yaml: the configuration is a mapping"]],
  ["families: v6", ['c.yaml: families is "v4" or "dual", not "v6"']],
  ["addressReuse: 1", ['c.yaml: addressReuse is "late" or "first", not 1']],
  ["images: 3", ["c.yaml: images is a list"]],
  ["images: [web]", ["c.yaml: images[0] is a mapping", "c.yaml: images[0].image is missing: the name to match"]],
  ["images: [{image: 3}]", ["c.yaml: images[0].image is a string, not 3"]],
  ["images: [{image: a, command: run}]", ["c.yaml: images[0].command is a list of strings"]],
  ["images: [{image: a, args: [1]}]", ["c.yaml: images[0].args is a list of strings"]],
  ["images: [{image: a, env: [A]}]", ["c.yaml: images[0].env is a mapping"]],
  ["images: [{image: a, env: {A: 1}}]", ["c.yaml: images[0].env.A is a string, not 1"]],
  ["images: [{image: a, user: root}]", ['c.yaml: images[0].user is a numeric user id, not "root"']],
  ["images: [{image: a, user: -1}]", ["c.yaml: images[0].user is a numeric user id, not -1"]],
  [
    "images: [{image: a, port: 1}]",
    ["c.yaml: images[0].port is unknown; known are image, command, args, env, workingDir, user, layers"],
  ],
  ["x: 1\nfamilies: 4", [/^c\.yaml: x is unknown; known are /, 'c.yaml: families is "v4" or "dual", not 4']],
];

test.each(FAULTS)("%j is refused, all faults at once", (text, messages) => {
  let lines: string[] = [];
  try {
    parseClusterConfig(text, "c.yaml");
  } catch (error) {
    lines = (error as Error).message.split("\n");
  }
  expect(lines).toHaveLength(messages.length);
  for (const [index, message] of messages.entries()) expect(lines[index]).toMatch(message);
});
