import type { Head, Method } from "@bowline/wire";

/** What has to be remembered of a request while it is answered. One per serving connection, reused. */
export class Exchange {
  method: Method = 0;
  /** The request is HTTP/1.0: no interim responses, and keep-alive has to be said. */
  http10 = false;
  /** The client's connection may carry another request after this one. */
  keepAlive = false;
  /** The request asks for another protocol; its hop-by-hop fields were left in place. */
  upgrade = false;
  startMs = 0;
  /** Counted among the requests without a response head. */
  inFlight = false;
  /** The final response head has gone to the client. */
  responseStarted = false;
  responseDone = false;
  status = 0;
  /** Writes of response bytes so far: tells progress from stillness. */
  progress = 0;

  begin(head: Head, upgrade: boolean, nowMs: number): void {
    this.method = head.method;
    this.http10 = head.minor === 0;
    this.keepAlive = head.keepAlive;
    this.upgrade = upgrade;
    this.startMs = nowMs;
    this.inFlight = false;
    this.responseStarted = false;
    this.responseDone = false;
    this.status = 0;
    this.progress = 0;
  }
}
