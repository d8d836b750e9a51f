import { isFailure, isPenalized, type Verdict, verdictOf } from "@bowline/model";
import type { Member } from "../pool/member.ts";

/** A call as its endpoint's balancer and breaker see it. Reused with the call. */
export class MemberUse {
  /** The endpoint's place in its balancer, until something is known about how the endpoint did. */
  member: Member | null = null;
  #epoch = 0;
  #startMs = 0;
  #loadEnded = true;
  #hintMs = 0;

  /** The call goes to an endpoint; null for one that is not balanced. */
  begin(member: Member | null, nowMs: number): void {
    this.member = member;
    this.#startMs = nowMs;
    if (member !== null) this.#epoch = member.start();
    this.#loadEnded = member === null;
    this.#hintMs = 0;
  }

  /**
   * The response's head is there. A balancer that penalises takes one that tells of trouble for a slow answer.
   * @param hintMs how long the endpoint asks to be left alone, 0 when it does not
   */
  onHead(status: number, grpcStatus: number, hintMs: number): void {
    const { member } = this;
    if (member === null) return;
    member.onAnswered();
    this.#hintMs = hintMs;
    if (this.#loadEnded || !member.slot.penalizes || !isPenalized(status, grpcStatus)) return;
    this.#loadEnded = true;
    member.penalized(this.#startMs, hintMs);
  }

  /** The first data of the response is there: the call no longer counts as load. */
  onData(): void {
    if (!this.#loadEnded && this.member !== null) this.#endLoad(this.member);
  }

  /** There is a complete response. */
  answered(status: number, grpcStatus: number): void {
    this.judged(verdictOf(isFailure(status, grpcStatus), status, grpcStatus));
  }

  /** The endpoint's answer, or its failure, is known. */
  judged(verdict: Verdict): void {
    const { member } = this;
    if (member === null) return;
    this.member = null;
    if (!this.#loadEnded) this.#endLoad(member);
    member.finished(this.#epoch, verdict, this.#hintMs);
  }

  /** What is known about the request says nothing about its endpoint. */
  leave(): void {
    const { member } = this;
    if (member === null) return;
    this.member = null;
    if (!this.#loadEnded) this.#endLoad(member);
    member.abandoned(this.#epoch);
  }

  #endLoad(member: Member): void {
    this.#loadEnded = true;
    member.measured(this.#startMs);
  }
}
