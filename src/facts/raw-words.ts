/** A Rust function that has to do with a raw pointer holds one of these; only `unsafe` takes one apart. */
export const RAW_WORDS: readonly string[] = ['unsafe', '*const ', '*mut ', 'NonNull', 'ptr', 'raw', 'addr_of'];
