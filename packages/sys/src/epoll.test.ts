import { expect, test } from "bun:test";
import { EPOLLIN, EPOLLOUT, Epoll } from "./epoll.ts";
import { Errno, errnoName } from "./errno.ts";
import { closeFd } from "./socket.ts";
import { openWakeup, wake } from "./wakeup.ts";

test("fds come back with their tags and only the events asked for", () => {
  const epoll = new Epoll();
  const fds = [openWakeup(), openWakeup(), openWakeup()];
  try {
    fds.forEach((fd, i) => {
      expect(epoll.add(fd, i === 1 ? EPOLLIN : EPOLLOUT, 0x7fffffff - i)).toBe(0);
    });
    // An eventfd takes wakes at any time (OUT); it has something to read (IN) once it was woken.
    expect(readyOf(epoll)).toEqual([`${fds[0]} 2147483647 4`, `${fds[2]} 2147483645 4`]);
    expect(epoll.modify(fds[0]!, EPOLLIN, 5)).toBe(0);
    wake(fds[0]!);
    expect(readyOf(epoll)).toEqual([`${fds[0]} 5 1`, `${fds[2]} 2147483645 4`]);
    expect(epoll.remove(fds[2]!)).toBe(0);
    expect(readyOf(epoll)).toEqual([`${fds[0]} 5 1`]);
  } finally {
    for (const fd of fds) closeFd(fd);
    epoll.close();
  }
});

test("a closed fd is no longer watched, and its number can be watched anew", () => {
  const epoll = new Epoll();
  const first = openWakeup();
  wake(first);
  epoll.add(first, EPOLLIN, 1);
  closeFd(first);
  expect(epoll.wait(0)).toBe(0);
  const second = openWakeup();
  try {
    wake(second);
    expect(epoll.add(second, EPOLLIN, 2)).toBe(0);
    expect(readyOf(epoll)).toEqual([`${second} 2 1`]);
  } finally {
    closeFd(second);
    epoll.close();
  }
});

test("mistakes are told by errno", () => {
  const epoll = new Epoll();
  const fd = openWakeup();
  try {
    expect([epoll.modify(fd, EPOLLIN, 1), epoll.remove(fd)]).toEqual([-Errno.ENOENT, -Errno.ENOENT]);
    expect([epoll.add(fd, EPOLLIN, 1), epoll.add(fd, EPOLLIN, 1)]).toEqual([0, -Errno.EEXIST]);
    expect(epoll.add(-1, EPOLLIN, 1)).toBe(-Errno.EBADF);
  } finally {
    closeFd(fd);
    epoll.close();
  }
  expect(epoll.wait(0)).toBe(-Errno.EBADF);
});

test("a full table of fds gives EMFILE", () => {
  // The child lowers its own limit, so that nobody else runs out of fds.
  const script = `
    import { openPipe } from "./pipe.ts";
    let result;
    do { result = openPipe(4096); } while (typeof result !== "number");
    process.stdout.write(String(result));`;
  const child = Bun.spawnSync(["sh", "-c", 'ulimit -n 64; exec "$0" -e "$1"', process.execPath, script], {
    cwd: import.meta.dir,
  });
  expect(child.stdout.toString()).toBe(String(-Errno.EMFILE));
});

test("errnoName", () => {
  expect([errnoName(Errno.ECONNRESET), errnoName(9999)]).toEqual(["ECONNRESET", "errno 9999"]);
});

function readyOf(epoll: Epoll): string[] {
  const ready = epoll.wait(0);
  return Array.from(
    { length: ready },
    (_, i) => `${epoll.readyFd(i)} ${epoll.readyTag(i)} ${epoll.readyEvents(i)}`,
  ).sort();
}
