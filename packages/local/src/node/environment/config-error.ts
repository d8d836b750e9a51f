/** A container can't be made of what the cluster has now; it is tried again. The message is for the container's status. */
export class ContainerConfigError extends Error {
  readonly reason: "CreateContainerConfigError" | "ErrImagePull" | "InvalidImageName" | "CreateContainerError";

  constructor(message: string, reason: ContainerConfigError["reason"] = "CreateContainerConfigError") {
    super(message);
    this.reason = reason;
  }
}
