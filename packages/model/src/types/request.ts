/** What routes ask about a request. Made by whoever holds the request; strings are built only when a route asks. */
export interface RequestFacts {
  readonly method: string;
  /** The authority's host without its port, in lower case; empty when the request names none. */
  readonly authority: string;
  /** Without the query. */
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
  /**
   * The value of the `nth` field (from 0) with this lower-case name as latin-1 text, null when there is none:
   * a match holds when any of several fields of a name matches.
   */
  header(name: string, nth: number): string | null;
}
