import { copyBytes, type FieldList } from "../fields.ts";

const SLOTS = 32;
/** Larger blocks are not kept, so all of one connection's take 16 KiB at most; nor are larger lists held on to. */
const BLOCK_BYTES_MAX = 512;
const LIST_BYTES_MAX = 4096;

/**
 * The blocks an encoder wrote for shared lists, each at one state of the dynamic table: the same list at the same state is
 * a copy. Slots are by the list's serial number; a list is remembered when it is first encoded and its block when it
 * comes the second time without anything having changed.
 */
export class EncodedBlocks {
  private lists: (FieldList | null)[] = [];
  private versions: number[] = [];
  private blocks: (Uint8Array | null)[] = [];

  /** Copies the block of `list` to `out` at `at`. Returns its end, -1 when it is not known. */
  write(list: FieldList, version: number, out: Uint8Array, at: number): number {
    const slot = list.serial & (SLOTS - 1);
    if (this.lists[slot] !== list || this.versions[slot] !== version) return -1;
    const block = this.blocks[slot]!;
    if (block === null) return -1;
    copyBytes(block, 0, block.length, out, at);
    return at + block.length;
  }

  /** `list` was encoded to [at, end) of `out` and the table stayed as it was. */
  note(list: FieldList, version: number, out: Uint8Array, at: number, end: number): void {
    if (end - at > BLOCK_BYTES_MAX || list.listBytes > LIST_BYTES_MAX) return;
    if (this.lists.length === 0) this.allocate();
    const slot = list.serial & (SLOTS - 1);
    const again = this.lists[slot] === list && this.versions[slot] === version;
    this.lists[slot] = list;
    this.versions[slot] = version;
    this.blocks[slot] = again ? out.slice(at, end) : null;
  }

  private allocate(): void {
    this.lists = Array.from({ length: SLOTS }, () => null);
    this.versions = Array.from({ length: SLOTS }, () => 0);
    this.blocks = Array.from({ length: SLOTS }, () => null);
  }
}
