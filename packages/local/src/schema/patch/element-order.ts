import { isObject, sameJson } from "../schema.ts";

/**
 * $setElementOrder: items that the patch names come in its order; the others keep their places among themselves, each before the first
 * named item that stood behind it.
 * @param order items with the merge key alone, or plain values
 */
export function orderAsAsked(
  list: readonly unknown[],
  order: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const keyOf = (item: unknown): unknown => (mergeKey !== undefined && isObject(item) ? item[mergeKey] : item);
  const keys = order.map(keyOf);
  const rank = (item: unknown) => keys.findIndex((key) => sameJson(key, keyOf(item)));
  const named = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  const others = list.filter((item) => rank(item) < 0);
  const result = [...named];
  let from = 0;
  for (const item of others) {
    const place = list.indexOf(item);
    let at = from;
    while (at < result.length && list.indexOf(result[at]) <= place) at++;
    result.splice(at, 0, item);
    from = at + 1;
  }
  return result;
}
