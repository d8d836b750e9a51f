/** The configuration is missing or wrong. The message names the file and what to do. */
export class KubeConfigError extends Error {
  override readonly name = "KubeConfigError";
}
