declare module 'node:test' {
  const test: (name: string, run: () => void | Promise<void>) => void;
  export default test;
}
declare module 'node:assert/strict' {
  const assert: {
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    ok(value: unknown, message?: string): void;
    throws(run: () => unknown, expected?: RegExp | object): void;
    rejects(promise: Promise<unknown>, expected?: RegExp | object): Promise<void>;
  };
  export default assert;
}
declare module 'node:crypto' {
  export const webcrypto: Crypto;
}
