import type { RequestFacts } from "@bowline/model";
import { type FieldList, NameId } from "@bowline/wire";

/** A request's head as routes ask about it. One per side, for one request at a time; strings are made when asked for. */
export class HeadFacts implements RequestFacts {
  #fields: FieldList | null = null;
  #target: string | null = null;

  /** Speaks of this head from now on. */
  of(fields: FieldList): this {
    this.#fields = fields;
    this.#target = null;
    return this;
  }

  get method(): string {
    return this.#value(NameId.Method);
  }

  get authority(): string {
    return splitAuthority(this.#value(NameId.Authority)).host.toLowerCase();
  }

  /** Without the port 0 when there is none. */
  get port(): number {
    return splitAuthority(this.#value(NameId.Authority)).port;
  }

  get scheme(): string {
    return this.#value(NameId.Scheme);
  }

  get path(): string {
    const target = this.#requestTarget();
    const query = target.indexOf("?");
    return query < 0 ? target : target.slice(0, query);
  }

  get query(): string {
    const target = this.#requestTarget();
    const query = target.indexOf("?");
    return query < 0 ? "" : target.slice(query + 1);
  }

  header(name: string, nth: number): string | null {
    const fields = this.#fields!;
    let left = nth;
    for (let i = 0; i < fields.count; i++) {
      if (fields.dropped(i) || fields.nameText(i) !== name) continue;
      if (left === 0) return fields.valueText(i);
      left -= 1;
    }
    return null;
  }

  #requestTarget(): string {
    this.#target ??= this.#value(NameId.Path);
    return this.#target;
  }

  #value(id: NameId): string {
    const index = this.#fields!.find(id);
    return index < 0 ? "" : this.#fields!.valueText(index);
  }
}

function splitAuthority(authority: string): { readonly host: string; readonly port: number } {
  const at = /:([0-9]{1,5})$/.exec(authority);
  if (at === null) return { host: authority, port: 0 };
  return { host: authority.slice(0, at.index), port: Number(at[1]) };
}
