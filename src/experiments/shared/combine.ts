/** Every pair of an element of `a` with one of `b`. */
export function combine<A, B>(a: readonly A[], b: readonly B[]): [A, B][] {
  return a.flatMap((one) => b.map((other): [A, B] => [one, other]));
}
