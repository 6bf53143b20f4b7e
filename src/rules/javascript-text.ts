/** What the text of a file must hold for a rule to find something in it; shared by the pre-filters of several rules. */

const views = '(?:(?:Big)?(?:Int|Uint)|Float)\\d+(?:Clamped)?Array|DataView';

const writers = 'fill|set|reverse|sort|copyWithin|copy|read|write\\w*|swap\\d+|set\\w*\\d\\w*|setFromHex';
const write = new RegExp(
  `\\.\\s*(?:${writers})\\s*(?:\\?\\.\\s*)?(?:\\.\\s*(?:call|apply)\\s*)?\\(|\\[\\s*['"\`](?:${writers})['"\`]\\s*\\]|Reflect\\s*\\.\\s*(?:apply|set)|Object\\s*\\.\\s*assign|` +
    'randomFill|getRandomValues|readSync|encodeInto|Atomics|\\][!\\s)]*(?:[-+*/%&|^?]{1,3}|<<|>{2,3})?=(?![=>])|\\][!\\s)]*(?:\\+\\+|--)|(?:\\+\\+|--)[\\s(]*[\\w$]',
  'u',
);

const store =
  /([\w$]+|[^\w\s])[!\s]*(?:\?\.|\.)\s*buffer\b\s*(?:[!),;\]}:?]|as\b|$|\.\s*(?:slice|transfer)|\/\/|\/\*)/gmu;

const partial = `Buffer\\s*\\.\\s*(?:from|alloc|allocUnsafe|concat|copyBytesFrom)\\b|readFileSync|subarray|slice|\\w+Sync\\s*\\(|new\\s+(?:${views})`;

/** Something is written that may be the bytes of a buffer. */
export function mentionsWrite(text: string): boolean {
  return write.test(text);
}

/**
 * The `.buffer` of something is handed on that may be a part of a larger store: a name that is given such a view, a
 * parameter with a telling type or of a stream's method, or anything that has no plain name.
 */
export function handsStoreOn(text: string): boolean {
  const asked = new Set<string>();
  for (const [, name = ''] of text.matchAll(store)) {
    if (asked.has(name)) continue;
    asked.add(name);
    if (!/[\w$]/u.test(name)) return true;
    const plain = name.replaceAll('$', '\\$');
    const made = new RegExp(`(?<![\\w$.])${plain}\\s*(?::[^=;\\n]*)?=[^=][^;]{0,200}?(?:${partial})`, 'u');
    const given = new RegExp(`(?<![\\w$.])${plain}\\??\\s*:[^,;=)]*(?:Buffer|${views})`, 'u');
    const chunk = new RegExp(
      `\\b(?:_?write|_?transform)\\b[^(]{0,20}\\(\\s*${plain}\\b|(?<![\\w$.])${plain}\\s*=>`,
      'u',
    );
    const alias = new RegExp(`(?<![\\w$.])${plain}\\s*=\\s*[\\w$]+\\s*(?:[;\\n]|as\\b)`, 'u');
    const guard = new RegExp(
      `(?:isView|isBuffer)\\s*\\(\\s*${plain}\\b|(?<![\\w$.])${plain}\\s+instanceof\\s+(?:Buffer|${views})\\b`,
      'u',
    );
    if (made.test(text) || alias.test(text) || given.test(text) || chunk.test(text) || guard.test(text)) return true;
  }
  return false;
}

/** Something may be transferred. */
export function mentionsTransfer(text: string): boolean {
  return /postMessage|structuredClone|transferList|\btransfer\b|\btransferToFixedLength\b|\bresize\b|Piscina\s*\.\s*move/u.test(
    text,
  );
}

/** A worker is started. */
export function startsWorker(text: string): boolean {
  return /\bnew\s+[\w$.]*(?:Worker|Piscina|Tinypool)\b/u.test(text);
}

/** A thread is ended. */
export function endsThread(text: string): boolean {
  return /\bterminate\b|\bprocess\s*\.\s*exit\b/u.test(text);
}

/** How the loaders of @napi-rs/cli tell musl from glibc: a function of this name, which they call below a test for Linux. */
const muslReport = /^([ \t]*)const isMuslFromReport = \(\) => \{\n[^]*?\n\1\};?$/mu;
const askedOnLinux = /\bif \(process\.platform === ["']linux["']\) \{\s*musl = isMuslFromFilesystem\(\)/u;

/** A diagnostic report is written, other than where generated loaders do so on Linux only. */
export function writesReport(text: string): boolean {
  const others = askedOnLinux.test(text) ? text.replace(muslReport, '') : text;
  return /\bgetReport\b/u.test(others);
}

/** Something is released, or left to the collector. */
export function releasesSomething(text: string): boolean {
  return /\.\s*(?:close|dispose|destroy|unsubscribe|stop|free|release|shutdown|terminate)\s*\(|Symbol\.(?:asyncD|d)ispose|FinalizationRegistry/u.test(
    text,
  );
}

/** The memory of WebAssembly is looked at through its buffer or one of Emscripten's views. */
export function viewsMemory(text: string): boolean {
  return /\bexports\b[^;]{0,80}?\bmemory\b|WebAssembly\s*\.\s*Memory|[mM]emory[!)\s]*\.\s*buffer\b|\bHEAP[UF]?(?:8|16|32|64)\b/u.test(
    text,
  );
}

/** The memory may grow: by its own method, or by a function that a module exports; or an object keeps a view of it for good. */
export function mayGrowMemory(text: string): boolean {
  return /\bgrow\b|\bexports\b|[aA]lloc|\bccall\b|\._[a-z]|\bthis\.[#\w]+\s*=\s*new\s+(?:DataView|\w+Array)\b/u.test(
    text,
  );
}

/** Neither minified, nor written by Emscripten, whose own code renews its views. */
export function isHandWritten(text: string): boolean {
  if (/updateMemoryViews|updateGlobalBufferAndViews/u.test(text)) return false;
  let lines = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return text.length / lines < 200;
}
