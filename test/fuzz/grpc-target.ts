import { type FuzzTarget, loadInputs, type Random } from "@bowline/testkit";
import { frameMessage, MESSAGE_HEAD_BYTES, MessageReader, ReadStep } from "../../packages/grpc/src/framing.ts";
import { Revealed } from "./revealed.ts";

const MESSAGE_BYTES_MAX = 1000;

/** A stream of gRPC messages in any pieces: what comes out is what a plain reading of the whole finds. */
export const grpcTarget: FuzzTarget = {
  name: "grpc",
  seeds: [
    ...[[0], [5], [0, 0, 1], [MESSAGE_BYTES_MAX], [MESSAGE_BYTES_MAX + 1], [3, 300, 30]].map(messages),
    ...loadInputs("grpc").map(({ bytes }) => bytes),
  ],
  words: ["0000000000", "0100000001", "0000000001", "00ffffffff", "00000003e8", "00000003e9"].map((hex) =>
    Uint8Array.fromHex(hex),
  ),
  bytesMax: 4096,
  run: (input, random) => {
    const want = readWhole(input);
    const got = readInPieces(new Revealed(input, random), random);
    if (got !== want) throw new Error(`read\n${got}\nwhere there is\n${want}`);
    return want.replaceAll(/\w{2,}/g, (message) => String(Math.ceil(Math.log2(message.length))));
  },
};

function messages(lengths: readonly number[]): Uint8Array {
  return Buffer.concat(lengths.map((length, index) => frameMessage(new Uint8Array(length).fill(index + 1))));
}

/** One word per message, then how it ended. */
function readWhole(stream: Uint8Array): string {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  const words: string[] = [];
  for (let at = 0; at < stream.length; ) {
    const flag = view.getUint8(at);
    if (flag !== 0) return [...words, flag === 1 ? ReadStep.Compressed : ReadStep.BadFlag].join(" ");
    if (stream.length - at < MESSAGE_HEAD_BYTES) break;
    const end = at + MESSAGE_HEAD_BYTES + view.getUint32(at + 1);
    if (end - at - MESSAGE_HEAD_BYTES > MESSAGE_BYTES_MAX) return [...words, ReadStep.TooLarge].join(" ");
    if (end > stream.length) break;
    words.push(stream.subarray(at + MESSAGE_HEAD_BYTES, end).toHex() || "empty");
    at = end;
  }
  return [...words, ReadStep.NeedMore].join(" ");
}

function readInPieces(revealed: Revealed, random: Random): string {
  const reader = new MessageReader(MESSAGE_BYTES_MAX);
  const words: string[] = [];
  let at = 0;
  let step: ReadStep = ReadStep.NeedMore;
  while (revealed.more()) {
    reader.push(revealed.bytes, at, revealed.end);
    at = revealed.end;
    // Not after every piece, so that messages queue up too; after the last in any case.
    if (random.chance(0.3) && at < revealed.bytes.length) continue;
    for (step = reader.next(); step === ReadStep.Message; step = reader.next())
      words.push(reader.message.toHex() || "empty");
    if (step !== ReadStep.NeedMore) break;
  }
  return [...words, step].join(" ");
}
