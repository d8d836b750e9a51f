/** What the tests use of the independent implementation, which comes without types. */
declare module "hpack.js" {
  interface Field {
    name: string;
    value: string;
    neverIndex?: boolean;
    incremental?: boolean;
    huffman?: boolean;
  }
  interface Table {
    readonly dynamic: readonly Field[];
    readonly size: number;
  }
  interface Compressor {
    readonly _table: Table;
    write(fields: readonly Field[]): void;
    read(): Uint8Array | null;
    updateTableSize(bytes: number): void;
    reset(): void;
  }
  interface Decompressor {
    readonly _table: Table;
    write(block: Uint8Array): void;
    execute(): void;
    read(): Field | null;
    on(event: "error", listener: (error: Error) => void): void;
  }
  const hpack: {
    compressor: { create(options: { table: { maxSize: number } }): Compressor };
    decompressor: { create(options: { table: { maxSize: number } }): Decompressor };
    huffman: { encode: readonly (readonly [bits: number, code: number])[] };
    "static-table": { table: readonly Field[] };
  };
  export default hpack;
}
