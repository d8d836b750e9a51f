/** Names that proxy-init writes into the kernel's nat table and that operators and `check` look for there. */
export const REDIRECT_CHAIN = "PROXY_INIT_REDIRECT";
export const OUTPUT_CHAIN = "PROXY_INIT_OUTPUT";

/** What follows `proxy-init/` in each rule's comment; a suffix that ends in `-` is followed by its port or subnet. */
export const RULE_COMMENT_PREFIX = "proxy-init";
export const IGNORE_PROXY_UID_RULE = "ignore-proxy-user-id";
export const IGNORE_PROXY_GID_RULE = "ignore-proxy-group-id";
export const IGNORE_LOOPBACK_RULE = "ignore-loopback";
export const IGNORE_PORT_RULE_PREFIX = "ignore-port-";
export const IGNORE_SUBNET_RULE_PREFIX = "ignore-subnet-";
export const REDIRECT_ALL_INCOMING_RULE = "redirect-all-incoming-to-proxy-port";
export const REDIRECT_ALL_OUTGOING_RULE = "redirect-all-outgoing-to-proxy-port";
export const INSTALL_PREROUTING_RULE = "install-proxy-init-prerouting";
export const INSTALL_OUTPUT_RULE = "install-proxy-init-output";
