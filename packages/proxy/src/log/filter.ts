import { Level, parseLevel } from "./level.ts";
import { canonicalTarget } from "./target.ts";

export type LogValue = string | number | boolean | null;
export type LogFields = Readonly<Record<string, LogValue>>;

/** What is logged: an EnvFilter as in Rust's tracing, for records instead of spans. Immutable. */
export interface LogFilter {
  /** As it was given; what GET /proxy-log-level shows. */
  readonly text: string;
  /** No record above this level passes, whatever its target. */
  readonly levelMax: Level;
  /** Longest target first; the one for every target, whose target is empty, last. */
  readonly targets: readonly TargetDirective[];
  readonly fields: readonly FieldDirective[];
}

interface TargetDirective {
  readonly target: string;
  readonly level: Level;
}

/** `target[{field=value}]=level`: rules over records that carry the field; where several do, the strictest. */
interface FieldDirective {
  readonly target: string;
  readonly field: string;
  readonly value: string | null;
  readonly level: Level;
}

export interface ParsedFilter {
  readonly filter: LogFilter;
  /** The directives that could not be used, each with the reason. */
  readonly bad: readonly string[];
}

/** What targets that no directive names are logged at. */
const DEFAULT_LEVEL = Level.Warn;

/**
 * Reads directives separated by commas: `warn`, `target=level`, `target` (everything of it), `[{field}]=off`,
 * `target[span{field="value"}]=level`. Bowline has no spans, so a span's name is accepted without effect; a field names
 * a field of the record, which is how the injected `[{headers}]=off` keeps requests' headers out of the log.
 * What cannot be used is reported and left out.
 */
export function parseFilter(text: string): ParsedFilter {
  const targets = new Map<string, Level>();
  const fields: FieldDirective[] = [];
  const bad: string[] = [];
  for (const directive of splitDirectives(text)) {
    const parsed = parseDirective(directive);
    if (typeof parsed === "string") bad.push(`${directive}: ${parsed}`);
    else if (parsed.field !== null) fields.push({ ...parsed, field: parsed.field });
    else if (!parsed.span) targets.set(parsed.target, parsed.level);
  }
  if (!targets.has("")) targets.set("", DEFAULT_LEVEL);
  const sorted = [...targets].map(([target, level]) => ({ target, level }));
  sorted.sort((a, b) => b.target.length - a.target.length);
  let levelMax: Level = Level.Off;
  for (const { level } of sorted) if (level > levelMax) levelMax = level;
  return { filter: { text: text.trim(), levelMax, targets: sorted, fields }, bad };
}

/** The most talkative level the filter lets through for a target, fields not considered. */
export function targetLevel(filter: LogFilter, target: string): Level {
  return filter.targets.find((directive) => covers(directive.target, target))?.level ?? DEFAULT_LEVEL;
}

/** Whether a record passes the directives about fields. */
export function fieldsPass(filter: LogFilter, level: Level, target: string, fields: LogFields): boolean {
  return filter.fields.every(
    (directive) =>
      level <= directive.level ||
      !Object.hasOwn(fields, directive.field) ||
      !covers(directive.target, target) ||
      (directive.value !== null && directive.value !== String(fields[directive.field])),
  );
}

interface Directive {
  readonly target: string;
  readonly span: boolean;
  readonly field: string | null;
  readonly value: string | null;
  readonly level: Level;
}

const DIRECTIVE = /^([\w:-]*)(?:\[([^\]]*)\])?(?:=(\w+))?$/;
const SPAN = /^[\w: -]*(?:\{\s*([\w.-]+)\s*(?:=\s*(.*?)\s*)?\})?$/s;

/** The directive, or what is wrong with it. */
function parseDirective(text: string): Directive | string {
  const bare = parseLevel(text);
  if (bare !== null) return { target: "", span: false, field: null, value: null, level: bare };
  const match = DIRECTIVE.exec(text);
  if (match === null) return "not a filter directive";
  const [, target = "", spanText, levelText] = match;
  const level = levelText === undefined ? Level.Trace : parseLevel(levelText);
  if (level === null) return `"${levelText}" is not a level`;
  if (target === "" && spanText === undefined) return "neither a target nor a span";
  const span = spanText === undefined ? null : SPAN.exec(spanText);
  if (spanText !== undefined && span === null) return "not a span such as [name{field}]";
  return {
    target: canonicalTarget(target),
    span: spanText !== undefined,
    field: span?.[1] ?? null,
    value: span?.[2]?.replace(/^"(.*)"$/s, "$1") ?? null,
    level,
  };
}

/** Commas separate directives except within brackets. */
function splitDirectives(text: string): string[] {
  return text
    .split(/,(?![^[]*\])/)
    .map((directive) => directive.trim())
    .filter((directive) => directive !== "");
}

/** `a::b` covers itself and `a::b::c`, not `a::bc`; the empty prefix covers all. */
function covers(prefix: string, target: string): boolean {
  if (!target.startsWith(prefix)) return false;
  return prefix === "" || target.length === prefix.length || target.startsWith("::", prefix.length);
}
