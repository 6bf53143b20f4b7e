/** What the lowering of Rust claims to see; each has a program in `fixtures/facts/rust/`. */
export const rustFacets: readonly string[] = [];
