import { describe, expect, test } from "bun:test";
import { EPOLLIN, EPOLLOUT } from "@bowline/sys";
import { CALM, ScriptedIo, type ScriptedListener, type ScriptedPeer } from "@bowline/testkit";
import { LinuxIo } from "./linux-io.ts";
import { Reactor, Source } from "./reactor.ts";
import { Timer } from "./timer-wheel.ts";

class Probe extends Source {
  readonly seen: number[] = [];
  act: () => void = () => undefined;

  override onReady(events: number): void {
    this.seen.push(events);
    this.act();
  }
}

/** Notes what the reactor tells the kernel. */
class NotingIo extends ScriptedIo {
  readonly told: string[] = [];

  override watch(fd: number, events: number, tag: number): number {
    this.told.push(`watch ${fd} ${events}`);
    return super.watch(fd, events, tag);
  }

  override rewatch(fd: number, events: number, tag: number): number {
    this.told.push(`rewatch ${fd} ${events}`);
    return super.rewatch(fd, events, tag);
  }

  override unwatch(fd: number): number {
    this.told.push(`unwatch ${fd}`);
    return super.unwatch(fd);
  }
}

interface Scene {
  readonly io: NotingIo;
  readonly reactor: Reactor;
  readonly listener: ScriptedListener;
}

function scene(): Scene {
  const io = new NotingIo({ seed: 1, adversity: CALM });
  return { io, reactor: new Reactor(io), listener: io.listener("10.0.0.1:4140") };
}

function acceptOne({ io, listener }: Scene): { fd: number; peer: ScriptedPeer } {
  const peer = io.client(listener);
  io.wait(1);
  return { fd: io.accept(listener.fd), peer };
}

describe("what the kernel is told", () => {
  test("nothing before the turn, then once per source, however often it changed its mind", () => {
    const stage = scene();
    const { fd } = acceptOne(stage);
    const probe = new Probe();
    stage.reactor.add(probe, fd, EPOLLIN | EPOLLOUT);
    stage.reactor.want(probe, 0);
    stage.reactor.want(probe, EPOLLIN);
    expect(stage.io.told).toEqual([]);
    stage.reactor.turn(1);
    expect(stage.io.told.splice(0)).toEqual([`watch ${fd} ${EPOLLIN}`]);
    stage.reactor.want(probe, EPOLLOUT);
    stage.reactor.want(probe, EPOLLIN);
    stage.reactor.turn(1);
    expect(stage.io.told.splice(0)).toEqual([]);
    stage.reactor.want(probe, EPOLLOUT);
    stage.reactor.turn(1);
    expect(stage.io.told).toEqual([`rewatch ${fd} ${EPOLLOUT}`]);
    expect(probe.seen).toEqual([EPOLLOUT]);
  });

  test("an unwatched source hears nothing, not even of a reset, until it wants again", () => {
    const stage = scene();
    const { fd, peer } = acceptOne(stage);
    const probe = new Probe();
    stage.reactor.add(probe, fd, EPOLLIN);
    stage.reactor.turn(1);
    stage.reactor.want(probe, -1);
    peer.reset();
    stage.reactor.turn(5);
    expect(probe.seen).toEqual([]);
    stage.reactor.want(probe, 0);
    stage.reactor.turn(5);
    expect(probe.seen).toHaveLength(1);
    expect(stage.io.told).toEqual([`watch ${fd} ${EPOLLIN}`, `unwatch ${fd}`, `watch ${fd} 0`]);
  });

  test("a source that is gone before the turn is not mentioned", () => {
    const stage = scene();
    const { fd } = acceptOne(stage);
    const probe = new Probe();
    stage.reactor.add(probe, fd, EPOLLIN);
    stage.reactor.remove(probe);
    stage.reactor.remove(probe);
    stage.io.close(fd);
    stage.reactor.turn(1);
    expect(stage.io.told).toEqual([]);
  });

  test("a refusal of the kernel is not passed over", () => {
    const io = new LinuxIo(new Uint8Array(1024));
    try {
      const reactor = new Reactor(io);
      reactor.add(new Probe(), 1000, EPOLLIN);
      expect(() => reactor.turn(0)).toThrow("watching fd 1000 for 1 failed: EBADF");
    } finally {
      io.dispose();
    }
  });

  test("a wait that fails is not taken for a quiet one", () => {
    const io = new LinuxIo(new Uint8Array(1024));
    const reactor = new Reactor(io);
    io.dispose();
    expect(() => reactor.turn(0)).toThrow("EBADF");
  });
});

describe("within one batch of events", () => {
  test("a source removed by another is not called", () => {
    const stage = scene();
    const probes = [new Probe(), new Probe()];
    const connections = probes.map(() => acceptOne(stage));
    probes.forEach((probe, i) => {
      stage.reactor.add(probe, connections[i]!.fd, EPOLLIN);
      probe.act = () => {
        for (const other of probes) {
          const { fd } = other;
          stage.reactor.remove(other);
          stage.io.close(fd);
        }
      };
    });
    for (const { peer } of connections) peer.send("x");
    stage.reactor.turn(5);
    expect(probes.flatMap((probe) => probe.seen)).toEqual([EPOLLIN]);
    stage.io.assertNothingOpen();
  });

  test("the new owner of an fd does not get the event of the former one", () => {
    const stage = scene();
    const [first, second, heir] = [new Probe(), new Probe(), new Probe()];
    const one = acceptOne(stage);
    const two = acceptOne(stage);
    stage.io.onConnect("10.9.9.9:80", (server) => server.pauseReading());
    const late = stage.io.client(stage.listener);
    stage.io.wait(1);
    const replace = (other: Probe): void => {
      const { fd } = other;
      stage.reactor.remove(other);
      stage.io.close(fd);
      expect(stage.io.accept(stage.listener.fd)).toBe(fd);
      stage.reactor.add(heir, fd, EPOLLIN);
    };
    first.act = () => replace(second);
    second.act = () => replace(first);
    stage.reactor.add(first, one.fd, EPOLLIN);
    stage.reactor.add(second, two.fd, EPOLLIN);
    one.peer.send("x");
    two.peer.send("x");
    stage.reactor.turn(5);
    expect([first.seen.length + second.seen.length, heir.seen.length]).toEqual([1, 0]);
    first.act = () => undefined;
    second.act = () => undefined;
    late.send("y");
    stage.reactor.turn(5);
    expect(heir.seen).toEqual([EPOLLIN]);
  });

  test("one object may be removed and serve another fd at once", () => {
    const stage = scene();
    const one = acceptOne(stage);
    const two = acceptOne(stage);
    const probe = new Probe();
    stage.reactor.add(probe, one.fd, EPOLLIN);
    stage.reactor.turn(1);
    stage.reactor.want(probe, EPOLLOUT);
    stage.reactor.remove(probe);
    stage.io.close(one.fd);
    stage.reactor.add(probe, two.fd, EPOLLIN);
    two.peer.send("x");
    stage.reactor.turn(5);
    expect(probe.seen).toEqual([EPOLLIN]);
    expect(stage.io.told).toEqual([`watch ${one.fd} ${EPOLLIN}`, `watch ${two.fd} ${EPOLLIN}`]);
  });
});

describe("timers", () => {
  test("fire after their delay on the Io's clock, the loop waiting no longer than it must", () => {
    const { io, reactor } = scene();
    const firedAtMs: number[] = [];
    const timer = new Timer({ onTimer: () => firedAtMs.push(io.nowMs()) }, 0);
    const startMs = reactor.nowMs;
    reactor.after(timer, 30);
    let turns = 0;
    while (firedAtMs.length === 0 && turns < 10) {
      reactor.turn();
      turns++;
    }
    expect(firedAtMs[0]! - startMs).toBeGreaterThanOrEqual(30);
    expect(firedAtMs[0]! - startMs).toBeLessThan(36);
    expect(turns).toBeLessThanOrEqual(2);
  });

  test("come after the events of their turn, so that what arrived in time is seen in time", () => {
    const stage = scene();
    const { fd, peer } = acceptOne(stage);
    const order: string[] = [];
    const probe = new Probe();
    probe.act = () => order.push("event");
    stage.reactor.add(probe, fd, EPOLLIN);
    stage.reactor.after(new Timer({ onTimer: () => order.push("timer") }, 0), 10);
    stage.reactor.turn(0);
    peer.send("x");
    // The loop stalls: both are there when it comes back.
    stage.io.runFor(() => undefined, 50);
    stage.reactor.turn(0);
    expect(order).toEqual(["event", "timer"]);
  });
});
