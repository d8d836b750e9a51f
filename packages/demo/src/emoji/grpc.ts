import {
  create,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";

/** What a method was refused with: to be thrown by handlers, and thrown by calls. */
export class GrpcFailure extends Error {
  override readonly name = "GrpcFailure";
  /** One of gRPC's numbers, `status` of grpc-js. */
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A handler for each method of a service, by the method's name in the .proto file with a small first letter. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S["method"]]: (
    request: MessageShape<S["method"][K]["input"]>,
  ) => MessageInitShape<S["method"][K]["output"]> | Promise<MessageInitShape<S["method"][K]["output"]>>;
};

export interface GrpcServer {
  readonly port: number;
  /** Accepts no more calls, lets those under way end, and after `deadlineMs` ends them. */
  stop(deadlineMs: number): Promise<void>;
}

export interface GrpcServerOptions<S extends DescService> {
  readonly service: S;
  readonly handlers: Handlers<S>;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Told of every call's end. */
  readonly onEnd: (method: string, code: number) => void;
}

/** @throws Error when the port is taken */
export async function startGrpcServer<S extends DescService>(options: GrpcServerOptions<S>): Promise<GrpcServer> {
  const { service, handlers, host, port, onEnd } = options;
  const server = new Server();
  const definition: Record<string, MethodDefinition<Message, Message>> = {};
  const implementation: Record<string, Unary> = {};
  for (const method of unaryMethods(service)) {
    const handle = handlers[method.localName as keyof S["method"]] as (request: Message) => unknown;
    definition[method.localName] = definitionOf(method);
    implementation[method.localName] = (call, respond) => {
      void answer(method, handle, call.request).then(
        (message) => {
          onEnd(method.name, status.OK);
          respond(null, message);
        },
        (error: unknown) => {
          const failure = asFailure(error);
          onEnd(method.name, failure.code);
          respond({ code: failure.code, details: failure.message });
        },
      );
    };
  }
  server.addService(definition satisfies ServiceDefinition, implementation);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
      ServerCredentials.createInsecure(),
      (error, number) => {
        if (error === null) resolve(number);
        else reject(error);
      },
    );
  });
  return {
    port: bound,
    stop: (deadlineMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), deadlineMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

export interface GrpcClient<S extends DescService> {
  /** @throws GrpcFailure */
  call<K extends keyof S["method"] & string>(
    method: K,
    request: MessageInitShape<S["method"][K]["input"]>,
  ): Promise<MessageShape<S["method"][K]["output"]>>;
  close(): void;
}

/** Within this a call has its answer, or has failed. */
const CALL_DEADLINE_MS = 5_000;

/** Connects when it is first needed, and again whenever the connection is lost. */
export function connectGrpc<S extends DescService>(service: S, address: string): GrpcClient<S> {
  const client = new Client(address, credentials.createInsecure(), {
    // A peer that is being replaced is back within moments; the default of a second would be felt.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    // Asks the name server for nothing but addresses.
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_http_proxy": 0,
  });
  return {
    call: (name, request) =>
      new Promise((resolve, reject) => {
        const method = service.method[name];
        if (method === undefined) throw new GrpcFailure(status.UNIMPLEMENTED, `no method ${name}`);
        const { path, requestSerialize, responseDeserialize } = definitionOf(method as DescMethodUnary);
        // A call that finds no connection waits for one instead of failing.
        const metadata = new Metadata({ waitForReady: true });
        const message = create(method.input, request as MessageInitShape<typeof method.input>);
        const deadline = Date.now() + CALL_DEADLINE_MS;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          message,
          metadata,
          { deadline },
          (error, answered) => {
            if (error === null) resolve(answered as never);
            else reject(new GrpcFailure(error.code, error.details, { cause: error }));
          },
        );
      }),
    close: () => client.close(),
  };
}

type Unary = (call: ServerUnaryCall<Message, Message>, respond: sendUnaryData<Message>) => void;

async function answer(
  method: DescMethodUnary,
  handle: (request: Message) => unknown,
  request: Message,
): Promise<Message> {
  return create(method.output, (await handle(request)) as MessageInitShape<typeof method.output>);
}

function asFailure(error: unknown): GrpcFailure {
  if (error instanceof GrpcFailure) return error;
  return new GrpcFailure(status.INTERNAL, error instanceof Error ? error.message : String(error));
}

function unaryMethods(service: DescService): DescMethodUnary[] {
  return service.methods.filter((method) => method.methodKind === "unary") as DescMethodUnary[];
}

function definitionOf(method: DescMethodUnary): MethodDefinition<Message, Message> {
  const { input, output, parent, name } = method;
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}
