/**
 * A map whose copies share what is in them until one is written to: a state is copied at each branch, and most copies are only
 * read. Where one is changed while it is gone through, the walk goes on with what was there before, as in a copy.
 */
export class SharedMap<K, V> {
  private map: Map<K, V>;
  private isShared: boolean;

  /** An empty one, or one with what `from` holds now. */
  constructor(from?: SharedMap<K, V>) {
    this.map = from ? from.map : EMPTY_MAP;
    this.isShared = true;
    if (from) from.isShared = true;
  }

  get size(): number {
    return this.map.size;
  }

  get(key: K): V | undefined {
    return this.map.get(key);
  }

  has(key: K): boolean {
    return this.map.has(key);
  }

  keys(): IterableIterator<K> {
    return this.map.keys();
  }

  values(): IterableIterator<V> {
    return this.map.values();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.map[Symbol.iterator]();
  }

  set(key: K, value: V): void {
    if (this.isShared) this.part();
    this.map.set(key, value);
  }

  delete(key: K): void {
    if (this.isShared) {
      if (!this.map.has(key)) return;
      this.part();
    }
    this.map.delete(key);
  }

  /** Whether both hold the same, because neither was written to since one was copied from the other. */
  isCopyOf(other: SharedMap<K, V>): boolean {
    return this.map === other.map;
  }

  private part(): void {
    this.map = new Map(this.map);
    this.isShared = false;
  }
}

/** The same for sets. */
export class SharedSet<T> {
  private items: Set<T>;
  private isShared: boolean;

  /** An empty one, or one with what `from` holds now. */
  constructor(from?: SharedSet<T>) {
    this.items = from ? from.items : EMPTY_SET;
    this.isShared = true;
    if (from) from.isShared = true;
  }

  has(item: T): boolean {
    return this.items.has(item);
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.items[Symbol.iterator]();
  }

  add(item: T): void {
    if (this.items.has(item)) return;
    if (this.isShared) this.part();
    this.items.add(item);
  }

  delete(item: T): void {
    if (!this.items.has(item)) return;
    if (this.isShared) this.part();
    this.items.delete(item);
  }

  /** Whether both hold the same, because neither was written to since one was copied from the other. */
  isCopyOf(other: SharedSet<T>): boolean {
    return this.items === other.items;
  }

  private part(): void {
    this.items = new Set(this.items);
    this.isShared = false;
  }
}

// What is empty and shared is never written to, so one does for all types of content.
const EMPTY_MAP = new Map<never, never>();
const EMPTY_SET = new Set<never>();
