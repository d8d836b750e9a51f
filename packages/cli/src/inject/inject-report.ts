import { INJECT_ANNOTATION } from "@bowline/contracts";
import type { InjectionReport } from "@bowline/control-plane";
import type { ObjectReport } from "./inject-object.ts";

const OK = "√";
const WARNING = "‼";

/** What `inject` says on stderr, in Linkerd's words: what people should know, and what became of each object. */
export function formatReport(reports: readonly ObjectReport[], verbose: boolean): string {
  const findings = findingsOf(reports).flatMap(({ warning, fine }) => {
    if (warning !== null) return [`${WARNING} ${warning}`];
    return verbose ? [`${OK} ${fine}`] : [];
  });
  const warnings = reports.flatMap(({ injection, warnings: texts }) =>
    texts.map((text) => `${WARNING} ${nameOf(injection)}: ${text}`),
  );
  const notes = [...findings, ...warnings];
  // Empty lines set the report off from YAML before it and from kubectl's words behind it.
  return ["", ...notes, ...(notes.length > 0 ? [""] : []), ...reports.map(summaryOf), "", ""].join("\n");
}

interface Finding {
  /** null when all is well. */
  readonly warning: string | null;
  readonly fine: string;
}

function findingsOf(reports: readonly ObjectReport[]): readonly Finding[] {
  const named = (fits: (report: InjectionReport) => boolean): readonly string[] =>
    reports
      .map(({ injection }) => injection)
      .filter(fits)
      .map(nameOf);
  const finding = (names: readonly string[], warning: (names: string) => string, fine: string): Finding => ({
    warning: names.length === 0 ? null : warning(names.join(", ")),
    fine,
  });
  const udp = named((report) => report.udp);
  return [
    finding(
      named((report) => report.hostNetwork),
      (names) => `"hostNetwork: true" detected in ${names}`,
      "pods do not use host networking",
    ),
    finding(
      named((report) => report.sidecar),
      (names) => `known 3rd party sidecar detected in ${names}`,
      "pods do not have a 3rd party proxy or initContainer already injected",
    ),
    finding(
      named((report) => report.injectDisabled !== null),
      (names) => `"${INJECT_ANNOTATION}: disabled" annotation set on ${names}`,
      "pods are not annotated to disable injection",
    ),
    {
      warning: reports.every(({ outcome }) => outcome === "skipped") ? "no supported objects found" : null,
      fine: "at least one resource can be injected or annotated",
    },
    finding(
      udp,
      (names) => `${names} ${udp.length > 1 ? "use" : "uses"} "protocol: UDP"`,
      "pod specs do not include UDP ports",
    ),
    {
      warning: null,
      fine: 'pods do not have automountServiceAccountToken set to "false" or service account token projection is enabled',
    },
  ];
}

function summaryOf({ injection, outcome }: ObjectReport): string {
  if (injection.kind === "") return 'document missing "kind" field, skipped';
  return `${injection.kind} "${injection.name}" ${outcome}`;
}

function nameOf({ kind, name }: InjectionReport): string {
  return `${kind}/${name}`;
}
