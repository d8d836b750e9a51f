import { readFileSync } from "node:fs";
import type { Values } from "@bowline/control-plane";
import type { KubeObject } from "@bowline/kube";
import type { Command } from "commander";
import { CommandFailure } from "../io.ts";
import { checkedIdentity, givenIdentity, type IdentityCredentials, newIdentity, webhookTls } from "./credentials.ts";
import { flagValues, type SourceFlags } from "./flags.ts";
import { renderControlPlane } from "./manifests/control-plane.ts";
import type { PresentInstallation } from "./present-installation.ts";
import { parseOverrides, type ResolvedValues, resolveValues } from "./resolve-values.ts";

/** The values that a command line asks for, on top of those of an installation that is there. */
export function valuesOf(command: Command, namespace: string, present?: PresentInstallation): ResolvedValues {
  const flags = command.opts<SourceFlags>();
  return resolveValues(
    {
      ...(present === undefined ? {} : { stored: parseOverrides(present.overrides) }),
      ha: flags.ha === true,
      files: flags.values,
      flags: { ...flagValues(command), namespace },
      set: flags.set,
      setString: flags.setString,
      setFile: flags.setFile,
    },
    readText,
  );
}

/** All objects of a new control plane. */
export async function renderNew(values: Values, flags: SourceFlags): Promise<KubeObject[]> {
  return renderWith(values, await newIdentity(flags, values, readText), undefined);
}

/** All objects of a control plane that is there already: its issuer, anchors and webhook certificates stay. */
export async function renderUpgrade(
  values: Values,
  flags: SourceFlags,
  present: PresentInstallation,
): Promise<KubeObject[]> {
  return renderWith(values, keptIdentity(values, flags, present), present);
}

/** A file that a flag names. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CommandFailure(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function renderWith(
  values: Values,
  identity: IdentityCredentials,
  present: PresentInstallation | undefined,
): Promise<KubeObject[]> {
  const { issuer } = values.identity;
  const whole: Values = {
    ...values,
    identityTrustAnchorsPEM: identity.anchorsPEM,
    identity: {
      ...values.identity,
      issuer: { ...issuer, tls: { crtPEM: identity.issuer?.crtPEM ?? "", keyPEM: identity.issuer?.keyPEM ?? "" } },
    },
  };
  const proxyInjector = await webhookTls(values, present?.webhook);
  return renderControlPlane(whole, { issuer: identity.issuer, proxyInjector });
}

function keptIdentity(values: Values, flags: SourceFlags, present: PresentInstallation): IdentityCredentials {
  const given = givenIdentity(flags, values, readText);
  const anchorsPEM = given === undefined || given.anchorsPEM === "" ? present.anchorsPEM : given.anchorsPEM;
  if (values.identity.issuer.scheme === "kubernetes.io/tls") return { issuer: null, anchorsPEM };
  if (given !== undefined && (given.crtPEM !== "" || given.keyPEM !== "")) {
    return checkedIdentity({ ...given, anchorsPEM }, values.identity.externalCA);
  }
  if (present.issuer === undefined) {
    throw new CommandFailure(
      `namespace ${values.namespace} has no issuer that could be kept; give one with --identity-issuer-certificate-file, ` +
        "--identity-issuer-key-file and --identity-trust-anchors-file",
    );
  }
  return checkedIdentity({ ...present.issuer, anchorsPEM }, values.identity.externalCA);
}
