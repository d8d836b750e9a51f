import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import type { Container } from "@bowline/kube";
import { hasTerminationMount, TERMINATION_LOG } from "./build-launch.ts";

const MESSAGE_BYTES_MAX = 4096;
/** Of the log, where that stands in for a message. */
const LOG_BYTES_MAX = 2048;
const LOG_LINES_MAX = 80;

/** What a container that has ended left as its last word. */
export function terminationMessage(container: Container, directory: string, exitCode: number): string {
  const file = hasTerminationMount(container)
    ? join(directory, basename(TERMINATION_LOG))
    : join(directory, "upper", TERMINATION_LOG);
  const message = readPart(file, MESSAGE_BYTES_MAX, "start");
  if (message !== "" || exitCode === 0 || container.terminationMessagePolicy !== "FallbackToLogsOnError")
    return message;
  const lines = readPart(join(directory, "log"), LOG_BYTES_MAX, "end").split("\n");
  return lines.slice(-LOG_LINES_MAX - 1).join("\n");
}

/** The file was the container's: it may have put anything there, such as a link to a file of the machine. */
function readPart(path: string, bytesMax: number, part: "start" | "end"): string {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return "";
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = fstatSync(fd);
    const length = Math.min(size, bytesMax);
    const buffer = Buffer.alloc(length);
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, length, part === "start" ? 0 : size - length));
  } finally {
    closeSync(fd);
  }
}
