/**
 * Just enough shell to follow build commands: words, quotes, `&&`, `;`, `|`, line continuations, comments. What a variable or
 * an expression would put there is not guessed; such a word is marked as dynamic.
 */
export interface Word {
  readonly text: string;
  /** Holds `$x`, `${{ x }}` or a command substitution, so that its text is not what runs. */
  readonly dynamic: boolean;
  /** Was in quotes as a whole: may be a command of its own (`sh -c "…"`). */
  readonly quoted: boolean;
}

export interface ShellCommand {
  readonly words: readonly Word[];
  /** 0-based line of the text on which the command starts. */
  readonly line: number;
  /** True for the last command of its line or script, which is the one that gets the arguments given to a package script. */
  readonly last: boolean;
}

const keywords = new Set(['then', 'do', 'else', '{', '!', 'if', 'while', 'time', '@', '&']);

/** Splits a script into commands in source order. Never throws; unbalanced quotes end at the end of the text. */
export function readShell(text: string): readonly ShellCommand[] {
  const commands: { words: Word[]; line: number }[] = [];
  let words: Word[] = [];
  let line = 0;
  let started = 0;
  let word: { text: string; dynamic: boolean; quoted: boolean } | undefined;
  const endWord = (): void => {
    if (word !== undefined && !(words.length === 0 && keywords.has(word.text))) words.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    if (words.length > 0) commands.push({ words, line: started });
    words = [];
  };
  const grow = (part: string, dynamic = false): void => {
    if (word === undefined) {
      if (words.length === 0) started = line;
      word = { text: '', dynamic: false, quoted: false };
    }
    word.text += part;
    word.dynamic ||= dynamic;
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '\n') {
      endCommand();
      line++;
    } else if (char === ' ' || char === '\t' || char === '\r') endWord();
    else if (char === '\\') {
      const next = text[i + 1];
      const continued = /^\\\r?\n/.exec(text.slice(i, i + 3))?.[0];
      if (continued !== undefined) {
        line++;
        i += continued.length - 1;
      } else {
        grow(next ?? '');
        i++;
      }
    } else if (char === '#' && word === undefined) {
      const end = text.indexOf('\n', i);
      i = end < 0 ? text.length : end - 1;
    } else if (char === "'" || char === '"') {
      const whole = word === undefined;
      grow('');
      let end = i + 1;
      for (; end < text.length && text[end] !== char; end++) {
        if (char === '"' && text[end] === '\\') {
          end++;
          grow(text[end] ?? '');
        } else if (text.startsWith('${{', end)) {
          const close = text.indexOf('}}', end);
          const stop = close < 0 ? text.length : close + 2;
          grow(text.slice(end, stop), true);
          end = stop - 1;
        } else {
          if (text[end] === '\n') line++;
          grow(text[end] ?? '', char === '"' && text[end] === '$');
        }
      }
      i = end;
      if (whole && word !== undefined) word.quoted = /^[\s;&|)]?$/.test(text[i + 1] ?? '');
    } else if (text.startsWith('${{', i) || text.startsWith('{{', i)) {
      const close = text.indexOf('}}', i);
      const stop = close < 0 ? text.length : close + 2;
      grow(text.slice(i, stop), true);
      i = stop - 1;
    } else if (char === '$' && text[i + 1] === '(') {
      let depth = 0;
      let end = i + 1;
      for (; end < text.length; end++) {
        if (text[end] === '(') depth++;
        else if (text[end] === ')' && --depth === 0) break;
      }
      grow(text.slice(i, end + 1), true);
      i = end;
    } else if (char === '$') grow(char, true);
    else if (char === ';' || char === '|' || char === '(' || char === ')' || (char === '&' && text[i - 1] !== '>'))
      endCommand();
    else if (char === '<' || char === '>') {
      // A redirection, its number and its file are no arguments.
      if (word !== undefined && /^\d$/.test(word.text)) word = undefined;
      endWord();
      const skip = /^[<>&]+\s*[^\s;&|]*/.exec(text.slice(i));
      i += (skip?.[0].length ?? 1) - 1;
    } else grow(char);
  }
  endCommand();
  return commands.map((command, index) => ({
    ...command,
    last: index === commands.length - 1 || commands[index + 1]?.line !== command.line,
  }));
}
