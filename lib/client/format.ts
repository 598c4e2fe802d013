const numbers = new Intl.NumberFormat("en-GB");

export function count(value: number): string {
  return numbers.format(value);
}

/** `1 device`, `3 devices`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function bytes(length: number): string {
  if (length < 1_000) return `${length} B`;
  const units = ["kB", "MB", "GB"];
  let value = length / 1_000;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** First and last digits of a digest, enough to tell two apart at a glance. */
export function shortHex(hex: string): string {
  return hex.length <= 14 ? hex : `${hex.slice(0, 8)}…${hex.slice(-4)}`;
}

/** Pairs with colons, as openssl prints fingerprints and people compare them. */
export function colonHex(hex: string): string {
  return hex.match(/.{1,2}/g)?.join(":") ?? hex;
}
