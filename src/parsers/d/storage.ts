/** What is known about containers of the standard library and of widely used packages. */
export interface ContainerFacts {
  /** Head of the type, without arguments. */
  readonly name: string;
  /** Module that declares it. */
  readonly module: string;
  /** Who gives the elements' memory back: the collector, or the container itself at once. */
  readonly storage: 'gc' | 'malloc';
  /** Whether elements may move when the container grows. */
  readonly moves: boolean;
}

/**
 * Containers and whether growth moves what they hold. A `T[]` is storage `gc` and moves; an associative array is storage
 * `gc` and its entries stay where they are. Moved `gc` storage stays readable but is stale; moved `malloc` storage is freed.
 */
export const dContainers: readonly ContainerFacts[] = [
  { name: 'Array', module: 'std.container.array', storage: 'malloc', moves: true },
  { name: 'BinaryHeap', module: 'std.container.binaryheap', storage: 'gc', moves: true },
  { name: 'Appender', module: 'std.array', storage: 'gc', moves: true },
  { name: 'RefAppender', module: 'std.array', storage: 'gc', moves: true },
  { name: 'OutBuffer', module: 'std.outbuffer', storage: 'gc', moves: true },
  { name: 'DList', module: 'std.container.dlist', storage: 'gc', moves: false },
  { name: 'SList', module: 'std.container.slist', storage: 'gc', moves: false },
  { name: 'RedBlackTree', module: 'std.container.rbtree', storage: 'gc', moves: false },
  { name: 'DynamicArray', module: 'containers.dynamicarray', storage: 'malloc', moves: true },
  { name: 'CyclicBuffer', module: 'containers.cyclicbuffer', storage: 'malloc', moves: true },
  { name: 'UnrolledList', module: 'containers.unrolledlist', storage: 'malloc', moves: false },
  { name: 'HashMap', module: 'containers.hashmap', storage: 'malloc', moves: true },
  { name: 'HashSet', module: 'containers.hashset', storage: 'malloc', moves: true },
  { name: 'TTree', module: 'containers.ttree', storage: 'malloc', moves: true },
  { name: 'FixedAppender', module: 'vibe.utils.array', storage: 'malloc', moves: false },
  { name: 'AllocAppender', module: 'vibe.utils.array', storage: 'malloc', moves: true },
];
