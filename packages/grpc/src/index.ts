/** gRPC client and server on the HTTP/2 engine of wire. */
export {};
