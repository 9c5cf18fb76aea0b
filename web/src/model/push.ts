/** What a subscription of the browser is for the server; undefined where the browser gave no keys. */
export function subscribed(subscription: {
  endpoint: string;
  keys?: Record<string, string>;
}): { endpoint: string; p256dh: string; auth: string } | undefined {
  const { p256dh, auth } = subscription.keys ?? {};
  return p256dh && auth ? { endpoint: subscription.endpoint, p256dh, auth } : undefined;
}

/** The bytes of a text in base64url. */
export function bytes(text: string): Uint8Array {
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(binary, (one) => one.charCodeAt(0));
}

/** Whether both are the same bytes. */
export function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((one, index) => one === right[index]);
}

/** A name for this browser, such as `Firefox on Android`. */
export function browserName(agent: string): string {
  const find = (names: [RegExp, string][]) => names.find(([pattern]) => pattern.test(agent))?.[1];
  const browser =
    find([
      [/Edg/, 'Edge'],
      [/OPR\//, 'Opera'],
      [/Firefox|FxiOS/, 'Firefox'],
      [/Chrom|CriOS/, 'Chrome'],
      [/Safari/, 'Safari'],
    ]) ?? 'Browser';
  const system = find([
    [/Android/, 'Android'],
    [/iPhone/, 'iPhone'],
    [/iPad/, 'iPad'],
    [/Windows/, 'Windows'],
    [/Mac OS/, 'macOS'],
    [/Linux/, 'Linux'],
  ]);
  return system ? `${browser} on ${system}` : browser;
}
