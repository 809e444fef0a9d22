/** `holds<Same<A, B>>()` compiles when the two types are the same. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export function holds<_T extends true>(): void {}
/** `same<A, B>()` says so of two types by name. */
export function same<A, B>(..._proof: Same<A, B> extends true ? [] : ["these types differ", A, B]): void {}
/** `is<T>()(value)` compiles when the type of `value` is `T` and nothing else. */
export function is<T>() {
  return <V>(_value: V, ..._proof: Same<V, T> extends true ? [] : ["the type is another", V]): void => {};
}
