export { formatHex, type KeptInput, keepInput, loadInputs, parseHex } from "./fuzz/corpus.ts";
export { type FuzzFailure, type FuzzLimits, type FuzzReport, type FuzzTarget, fuzz, tryInput } from "./fuzz/fuzz.ts";
export {
  type CorpusCase,
  HTTP1_CORPUS,
  loadHttp1Corpus,
  type ProxyAnswer,
  parseCase,
  type Verdict,
} from "./http1-corpus.ts";
export { type Judgement, judgeHttp1 } from "./http1-judge.ts";
export { type InsideOptions, NetNamespace, type RunAs } from "./netns.ts";
export { type LinkEnd, linkNamespaces, type Pod, type TwoPods, twoPods } from "./pods.ts";
export {
  type CommandOptions,
  type CommandResult,
  describeFailure,
  mustRun,
  type RunningProcess,
  runCommand,
  type SpawnOptions,
  spawnProcess,
} from "./process.ts";
export { rejectionOf } from "./rejection.ts";
export { Relay, type RelayEnd } from "./relay.ts";
export {
  type ClientOptions,
  type RunLimits,
  ScriptedIo,
  type ScriptedIoOptions,
  type ScriptedListener,
} from "./scripted-io.ts";
export type { ConnectOutcome } from "./scripted-io-network.ts";
export type { ScriptedPeer } from "./scripted-io-peer.ts";
export { type Adversity, CALM, Random } from "./scripted-io-random.ts";
export { ScriptedIoError } from "./scripted-io-table.ts";
export { connectTcp, type PeerEnd, TcpPeer, TcpServer } from "./tcp-peer.ts";
export { freePort, type WaitOptions, waitFor } from "./wait-for.ts";
