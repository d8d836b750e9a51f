/**
 * The number that a resource quantity stands for: cores for "250m", bytes for "64Mi".
 * @throws RangeError when it isn't one
 */
export function parseQuantity(text: string | number): number {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(String(text));
  if (match === null) throw new RangeError(`${JSON.stringify(text)} is not a quantity such as "250m" or "64Mi"`);
  const [, digits = "", exponent = "", suffix = ""] = match;
  return Number(digits + exponent) * (FACTORS[suffix] ?? 1);
}

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};
