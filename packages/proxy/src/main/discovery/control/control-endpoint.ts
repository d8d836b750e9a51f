import { type ChannelOptions, type Client, createClient, GrpcChannel } from "@bowline/grpc";
import type { DescService } from "@bufbuild/protobuf";

/** One address of a service of the control plane, and the connection to it, which is opened when a call needs it. */
export class ControlEndpoint<S extends DescService> {
  readonly client: Client<S>;
  readonly #channel: GrpcChannel;
  #calls = 0;
  #retired = false;

  constructor(service: S, options: ChannelOptions) {
    this.#channel = new GrpcChannel(options);
    this.client = createClient(service, this.#channel);
  }

  /** Whether a connection is open. */
  get connected(): boolean {
    return this.#channel.state === "ready";
  }

  callStarted(): void {
    this.#calls += 1;
  }

  callEnded(): void {
    this.#calls -= 1;
    if (this.#retired && this.#calls === 0) this.close();
  }

  /** The address is the service's no longer: its connection goes with the last of its calls. */
  retire(): void {
    this.#retired = true;
    if (this.#calls === 0) this.close();
  }

  close(): void {
    this.#channel.close();
  }
}
