import { Database as Sqlite, type Statement } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import type { KubeObject } from "@bowline/kube";

/** Bump when tables change; a database of another layout is refused rather than misread. */
const LAYOUT = 1;

/** The file behind the store. Every method is one transaction, on disk when it returns (but see `open`). */
export class Database {
  readonly #db: Sqlite;
  readonly #put: Statement;
  readonly #drop: Statement;
  readonly #count: Statement;

  /**
   * Opens or makes the file. What was written survives the death of this process at any moment; a crash of the whole machine may
   * lose the last writes, but leaves the file whole. Throws when another process has it open.
   */
  constructor(path: string) {
    // It holds Secrets and keys; SQLite gives its other files the same mode.
    closeSync(openSync(path, "a", 0o600));
    this.#db = new Sqlite(path, { create: true, strict: true });
    try {
      prepareFile(this.#db);
    } catch (error) {
      this.#db.close();
      throw new Error(
        `cannot open the cluster's state in ${path}: ${error instanceof Error ? error.message : String(error)}`,
        {
          cause: error,
        },
      );
    }
    this.#put = this.#db.prepare(
      "INSERT INTO objects (type, namespace, name, body) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
    );
    this.#drop = this.#db.prepare("DELETE FROM objects WHERE type = ? AND namespace = ? AND name = ?");
    this.#count = this.#db.prepare("UPDATE counter SET version = ?");
  }

  /** The version of the last write that was completed. */
  version(): number {
    return (one(this.#db, "SELECT version FROM counter") as { version: number }).version;
  }

  *objects(): Generator<{ type: string; object: KubeObject }> {
    using statement = this.#db.prepare("SELECT type, body FROM objects");
    for (const row of statement.iterate()) {
      const { type, body } = row as { type: string; body: string };
      yield { type, object: JSON.parse(body) as KubeObject };
    }
  }

  put(type: string, object: KubeObject, version: number): void {
    this.#write(version, () => {
      this.#put.run(type, object.metadata.namespace ?? "", object.metadata.name ?? "", JSON.stringify(object));
    });
  }

  drop(type: string, namespace: string, name: string, version: number): void {
    this.#write(version, () => {
      this.#drop.run(type, namespace, name);
    });
  }

  /** Lets the file go at once, so that it can be opened again. */
  close(): void {
    // A statement that is still open would keep the file, and its lock, until the collector finds it.
    for (const statement of [this.#put, this.#drop, this.#count]) statement.finalize();
    this.#db.close(true);
  }

  #write(version: number, change: () => void): void {
    this.#db.run("BEGIN IMMEDIATE");
    try {
      change();
      this.#count.run(version);
      this.#db.run("COMMIT");
    } catch (error) {
      this.#db.run("ROLLBACK");
      throw error;
    }
  }
}

function one(db: Sqlite, query: string): unknown {
  using statement = db.prepare(query);
  return statement.get();
}

function prepareFile(db: Sqlite): void {
  // Exclusive, so that a second daemon on the same directory fails at once; it also spares the shared-memory file.
  db.run("PRAGMA locking_mode = EXCLUSIVE");
  db.run("PRAGMA journal_mode = WAL");
  db.run("PRAGMA synchronous = NORMAL");
  const { user_version: layout } = one(db, "PRAGMA user_version") as { user_version: number };
  if (layout !== 0 && layout !== LAYOUT) {
    throw new Error(
      `another version of this program wrote it (layout ${layout}, this one knows ${LAYOUT}); \`bowline local down\` removes it`,
    );
  }
  db.run("BEGIN IMMEDIATE");
  db.run(
    "CREATE TABLE IF NOT EXISTS objects (type TEXT, namespace TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (type, namespace, name)) WITHOUT ROWID",
  );
  db.run("CREATE TABLE IF NOT EXISTS counter (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL)");
  db.run("INSERT OR IGNORE INTO counter VALUES (1, 1)");
  db.run(`PRAGMA user_version = ${LAYOUT}`);
  db.run("COMMIT");
}
