import type { Tree } from 'web-tree-sitter';

/**
 * The functions of the WASM module under web-tree-sitter's cursor. They take the address of a tree and find the cursor
 * in a transfer buffer, where each move leaves it.
 */
export interface CursorCalls {
  readonly HEAP32: Int32Array;
  _ts_init(): number;
  _ts_tree_root_node_wasm(tree: number): void;
  _ts_tree_cursor_new_wasm(tree: number): void;
  _ts_tree_cursor_delete_wasm(tree: number): void;
  _ts_tree_cursor_goto_first_child_wasm(tree: number): number;
  _ts_tree_cursor_goto_next_sibling_wasm(tree: number): number;
  _ts_tree_cursor_goto_parent_wasm(tree: number): number;
  _ts_tree_cursor_current_node_type_id_wasm(tree: number): number;
  _ts_tree_cursor_current_field_id_wasm(tree: number): number;
  _ts_tree_cursor_start_index_wasm(tree: number): number;
  _ts_tree_cursor_end_index_wasm(tree: number): number;
  _ts_tree_cursor_current_node_is_missing_wasm(tree: number): number;
  _ts_tree_cursor_current_node_wasm(tree: number): void;
  _ts_node_has_error_wasm(tree: number): number;
}

/** A cursor occupies this many 32-bit words of the transfer buffer. */
const cursorWords = 4;

/**
 * Does what web-tree-sitter's TreeCursor does for half of the time, because it leaves the cursor in the transfer buffer
 * instead of copying it in and out around every call. From its making to `delete` nothing else may call the WASM module,
 * so it is for one synchronous walk.
 */
export class Cursor {
  private readonly tree: number;
  /** Index of the transfer buffer in HEAP32. */
  private readonly buffer: number;

  constructor(
    private readonly calls: CursorCalls,
    tree: Tree,
  ) {
    this.buffer = calls._ts_init() >> 2;
    // The handle of a tree is its property 0, which the declarations of web-tree-sitter leave out.
    this.tree = (tree as unknown as readonly [number])[0];
    calls._ts_tree_root_node_wasm(this.tree);
    calls._ts_tree_cursor_new_wasm(this.tree);
  }

  delete(): void {
    this.calls._ts_tree_cursor_delete_wasm(this.tree);
  }

  gotoFirstChild(): boolean {
    return this.calls._ts_tree_cursor_goto_first_child_wasm(this.tree) === 1;
  }

  gotoNextSibling(): boolean {
    return this.calls._ts_tree_cursor_goto_next_sibling_wasm(this.tree) === 1;
  }

  gotoParent(): boolean {
    return this.calls._ts_tree_cursor_goto_parent_wasm(this.tree) === 1;
  }

  get nodeTypeId(): number {
    return this.calls._ts_tree_cursor_current_node_type_id_wasm(this.tree);
  }

  get currentFieldId(): number {
    return this.calls._ts_tree_cursor_current_field_id_wasm(this.tree);
  }

  get startIndex(): number {
    return this.calls._ts_tree_cursor_start_index_wasm(this.tree);
  }

  get endIndex(): number {
    return this.calls._ts_tree_cursor_end_index_wasm(this.tree);
  }

  get nodeIsMissing(): boolean {
    return this.calls._ts_tree_cursor_current_node_is_missing_wasm(this.tree) === 1;
  }

  /** Whether the current node is an error or missing, or has such a descendant. */
  get hasError(): boolean {
    const { calls, buffer } = this;
    // The node goes where the cursor is.
    const saved = calls.HEAP32.slice(buffer, buffer + cursorWords);
    calls._ts_tree_cursor_current_node_wasm(this.tree);
    const result = calls._ts_node_has_error_wasm(this.tree) === 1;
    calls.HEAP32.set(saved, buffer);
    return result;
  }
}
