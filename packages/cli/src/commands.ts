import { VERSION } from "@bowline/contracts";

/** What was asked for, by the executable's name or its first argument. */
export type Invocation =
  | { readonly command: "proxy-init" | "network-validator"; readonly args: readonly string[] }
  | { readonly command: "proxy" | "help" | "version" }
  | { readonly command: "unknown"; readonly name: string };

/** The programs of Linkerd's images: an image may keep these names as links to this executable. */
const LINKERD_NAMES: Readonly<Record<string, string>> = {
  "proxy-init": "proxy-init",
  "linkerd2-proxy-init": "proxy-init",
  "linkerd2-proxy": "proxy",
  "linkerd2-network-validator": "network-validator",
};

export const HELP: string = `bowline ${VERSION}: a service mesh that speaks Linkerd's contracts

Usage: bowline <command> [flags]

Commands:
  proxy-init         redirect a pod's TCP traffic to its proxy, or stop doing so
  proxy              run the proxy; configured by LINKERD2_PROXY_* variables, reads no arguments
  network-validator  check that traffic is redirected; exits with 95 when it is not
  version            print the version
  help               print this help

bowline <command> --help describes a command's flags.
`;

/**
 * @param calledAs the executable's name without its directory
 * @param args everything after the executable's name
 */
export function findCommand(calledAs: string, args: readonly string[]): Invocation {
  const linked = LINKERD_NAMES[calledAs];
  const [name = "help", ...rest] = linked === undefined ? args : [linked, ...args];
  switch (name) {
    case "proxy-init":
    case "network-validator":
      return { command: name, args: rest };
    case "proxy":
      // Linkerd's proxy reads no arguments; neither does this one.
      return { command: name };
    case "help":
    case "--help":
    case "-h":
      return { command: "help" };
    case "version":
    case "--version":
    case "-v":
      return { command: "version" };
    default:
      return { command: "unknown", name };
  }
}
