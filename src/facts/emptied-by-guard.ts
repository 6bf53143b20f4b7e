/** What takes an entry out of a list or map, or the value out of an option. */
export const TAKES =
  'take|abort|unref|release|clear|drain|retain|remove|remove_entry|swap_remove|truncate|pop\\w*|split_off';

/** How far below the variable the call is looked for: within one function, as a rule. */
const WITHIN = 2000;

/**
 * Whether the text takes something out of a field by way of a variable that holds its lock:
 * `let mut listeners = self.listeners.lock().unwrap(); listeners.remove(&id);`
 */
export function isEmptiedByGuard(text: string, field: string): boolean {
  const guard = new RegExp(
    `\\b(?:let|if\\s+let|while\\s+let)\\s+(?:(?:Ok|Some)\\s*\\(\\s*)?(?:mut\\s+)?(\\w+)\\s*\\)?\\s*(?::[^=;]*)?=\\s*[^;{}=]*\\b${field}\\b\\s*\\.\\s*(?:lock|try_lock|write|try_write|blocking_lock|blocking_write|borrow_mut|try_borrow_mut|get_mut|as_mut|iter_mut)\\s*\\(`,
    'gu',
  );
  return [...text.matchAll(guard)].some(({ 0: { length }, 1: name = '', index }) =>
    new RegExp(
      `\\b${name}\\s*\\.\\s*(?:${TAKES})\\s*\\(|\\*\\s*${name}\\s*=\\s*(?:None\\b|(?:\\w+::)*(?:new|default)\\s*\\()`,
      'u',
    ).test(text.slice(index + length, index + length + WITHIN)),
  );
}
