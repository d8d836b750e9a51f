// A target says where a record comes from, as in Rust's tracing: `linkerd2_proxy::inbound::http1`. Ours all begin with
// 2018's `linkerd2_proxy`, the name today's proxy logs its start under as well. In filters `linkerd2_proxy`, `linkerd`
// and `linkerd_app` are the same prefix, so the filters of 2018's and of today's manifests both enable our records, and
// the crate names `linkerd_app_inbound` and `linkerd_app_outbound` mean the respective part of ours.

const ROOT = "linkerd2_proxy";

/** `logTarget("inbound", "http1")` is `linkerd2_proxy::inbound::http1`. To be made once, at module level. */
export function logTarget(...path: readonly string[]): string {
  return [ROOT, ...path].join("::");
}

/** A target of a filter directive in the spelling of our own targets. */
export function canonicalTarget(target: string): string {
  const [head = "", ...rest] = target.split("::");
  const root = ALIASES[head];
  return root === undefined ? target : [root, ...rest].join("::");
}

const ALIASES: Readonly<Record<string, string>> = {
  linkerd: ROOT,
  linkerd_app: ROOT,
  linkerd_app_core: ROOT,
  linkerd_app_inbound: `${ROOT}::inbound`,
  linkerd_app_outbound: `${ROOT}::outbound`,
};
