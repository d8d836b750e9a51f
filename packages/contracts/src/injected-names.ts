// Names of what the injector adds to a pod; other programs find the proxy by them.

export const PROXY_CONTAINER = "linkerd-proxy";
export const INIT_CONTAINER = "linkerd-init";
export const VALIDATOR_CONTAINER = "linkerd-network-validator";
export const DEBUG_CONTAINER = "linkerd-debug";

/** Names of the proxy container's ports. */
export const PROXY_PORT_NAME = "linkerd-proxy";
export const ADMIN_PORT_NAME = "linkerd-admin";
export const CONTROL_PORT_NAME = "linkerd-control";

export const XTABLES_LOCK_VOLUME = "linkerd-proxy-init-xtables-lock";
export const END_ENTITY_VOLUME = "linkerd-identity-end-entity";
export const IDENTITY_TOKEN_VOLUME = "linkerd-identity-token";

export const END_ENTITY_DIR = "/var/run/linkerd/identity/end-entity";
export const IDENTITY_TOKEN_DIR = "/var/run/secrets/tokens";
export const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Whom a proxy's token is for. */
export const IDENTITY_AUDIENCE = "identity.l5d.io";

/** The programs of the proxy image, at Linkerd's paths. */
export const PROXY_INIT_PATH = "/usr/lib/linkerd/linkerd2-proxy-init";
export const NETWORK_VALIDATOR_PATH = "/usr/lib/linkerd/linkerd2-network-validator";
export const AWAIT_PATH = "/usr/lib/linkerd/linkerd-await";

/** ConfigMap of the control plane's namespace, whose key `values` holds what it was installed with. */
export const LINKERD_CONFIG = "linkerd-config";
export const LINKERD_CONFIG_KEY = "values";
/** ConfigMap that holds the trust anchors, and its key. */
export const TRUST_ROOTS = "linkerd-identity-trust-roots";
export const TRUST_ROOTS_KEY = "ca-bundle.crt";
