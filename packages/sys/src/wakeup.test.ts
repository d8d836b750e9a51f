import { expect, test } from "bun:test";
import { EPOLLIN, Epoll } from "./epoll.ts";
import { closeFd } from "./socket.ts";
import { clearWakeup, openWakeup, wake } from "./wakeup.ts";

test("many wakes are one event, until they are cleared", () => {
  const epoll = new Epoll();
  const fd = openWakeup();
  try {
    epoll.add(fd, EPOLLIN, 42);
    expect(epoll.wait(0)).toBe(0);
    wake(fd);
    wake(fd);
    expect([epoll.wait(0), epoll.readyFd(0), epoll.readyTag(0), epoll.readyEvents(0)]).toEqual([1, fd, 42, EPOLLIN]);
    expect(epoll.wait(0)).toBe(1);
    clearWakeup(fd);
    expect(epoll.wait(0)).toBe(0);
    // Clearing what is clear does not block.
    clearWakeup(fd);
  } finally {
    closeFd(fd);
    epoll.close();
  }
});

test("waking and clearing outlive the collector", () => {
  const epoll = new Epoll();
  const fd = openWakeup();
  const others: BigUint64Array[] = [];
  try {
    epoll.add(fd, EPOLLIN, 42);
    for (let round = 0; round < 20; round++) {
      Bun.gc(true);
      // Whoever gets memory that was wrongly given back finds it changed by the kernel, or gives the kernel zeros.
      for (let i = 0; i < 1_000; i++) {
        const other = new BigUint64Array(1);
        other.buffer satisfies ArrayBufferLike;
        others.push(other);
      }
      wake(fd);
      expect(epoll.wait(0)).toBe(1);
      clearWakeup(fd);
      expect(epoll.wait(0)).toBe(0);
    }
    expect(others.filter(([value]) => value !== 0n)).toEqual([]);
  } finally {
    closeFd(fd);
    epoll.close();
  }
});

test("another thread ends a wait", async () => {
  const epoll = new Epoll();
  const fd = openWakeup();
  const script = new URL("./wakeup.ts", import.meta.url).href;
  const worker = new Worker(
    URL.createObjectURL(
      new Blob([
        `import { wake } from ${JSON.stringify(script)}; postMessage("up"); onmessage = () => setTimeout(() => wake(${fd}), 20);`,
      ]),
    ),
  );
  try {
    await new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
    epoll.add(fd, EPOLLIN, 7);
    worker.postMessage("wake");
    expect(epoll.wait(5_000)).toBe(1);
    expect(epoll.readyTag(0)).toBe(7);
  } finally {
    worker.terminate();
    closeFd(fd);
    epoll.close();
  }
});
