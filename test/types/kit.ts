/** `holds<Same<A, B>>()` compiles when the two types are the same. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export function holds<_T extends true>(): void {}
