export {
  DEFAULT_VALUES,
  type EnvVarValue,
  type IdentityValues,
  type ImagePullPolicy,
  type ImageValues,
  type PolicyControllerValues,
  type ProxyInitValues,
  type ProxyValues,
  type Resources,
  type Values,
  type WebhookValues,
} from "./values.ts";
