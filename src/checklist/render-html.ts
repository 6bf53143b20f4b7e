import { describeEvidence } from '../report/describe-evidence.js';
import { kindNames, type Checklist, type Entry, type Fact, type Question } from './checklist.js';
import { groupFacts, silenceNote, splitBySilence, stateOf, verdictOf } from './words.js';

/**
 * One page without a server or anything from elsewhere, for wide and narrow screens. Ticks and justifications are kept by the
 * browser under the entry's fingerprint and state, as long as the code stays what it is.
 */
export function renderHtml(list: Checklist, linkOf: (ruleId: string) => string | undefined): string {
  const gaps = list.gaps.map(
    ({ path, line, message }) =>
      `<li><code>${html(line === undefined ? path : `${path}:${String(line)}`)}</code> ${html(message)}</li>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Lifetime checklist</title>
<style>${STYLE}</style>
</head>
<body>
<header><div class="bar"><strong>Lifetime checklist</strong><span id="done"></span></div></header>
<main>
<h1>${html(verdictOf(list))}</h1>
${list.entries.length === 0 ? '' : `<p>${html(stateOf(list))}</p>`}
<p class="hint">Ticks and justifications made on this page stay in this browser.</p>
${renderContents(list)}
${list.entries.map((entry, at) => renderEntry(entry, at, linkOf)).join('\n')}
${gaps.length + list.gapsElsewhere === 0 ? '' : `<section><h2>What was not seen</h2><ul>${gaps.join('')}${list.gapsElsewhere === 0 ? '' : `<li>${String(list.gapsElsewhere)} more in files that did not change.</li>`}</ul></section>`}
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** Links to the entries, for lists that are longer than a screen. */
function renderContents({ entries }: Checklist): string {
  if (entries.length < 3) return '';
  const items = entries.map(
    (entry, at) =>
      `<li><a href="#e${String(at)}"><code>${html(entry.name)}</code></a> <span class="kind">${html(kindNames[entry.kind])}${worstOf(entry)}</span></li>`,
  );
  return `<details class="contents" open><summary>${String(entries.length)} entries</summary><ol>${items.join('')}</ol></details>`;
}

function worstOf({ findings }: Entry): string {
  const severities = findings.map(({ severity }) => severity);
  const worst = (['error', 'warning', 'note'] as const).find((severity) => severities.includes(severity));
  return worst === undefined ? '' : ` <b class="${worst}">${worst}</b>`;
}

function renderEntry(entry: Entry, at: number, linkOf: (ruleId: string) => string | undefined): string {
  const key = `${entry.fingerprint}:${entry.state}`;
  const findings = entry.findings.map((finding) => {
    const url = linkOf(finding.ruleId);
    const rule =
      url === undefined
        ? `<code>${html(finding.ruleId)}</code>`
        : `<a href="${html(url)}"><code>${html(finding.ruleId)}</code></a>`;
    const steps = [
      ...finding.steps.map(
        ({ role, path, line, note }) =>
          `<li><em>${role}</em> <code>${html(path)}:${String(line)}</code> ${html(note)}</li>`,
      ),
      ...(finding.evidence ?? []).map((evidence) => `<li>Evidence: ${html(describeEvidence(evidence))}</li>`),
    ].join('');
    return `<li class="finding"><b class="${finding.severity}">${finding.severity}</b> ${rule} <code class="at">${html(finding.location.path)}:${String(finding.location.startLine)}</code><br>${html(finding.message)}${steps === '' ? '' : `<ul>${steps}</ul>`}</li>`;
  });
  const notes = [
    ...facts(entry.touched, entry, 'Touched: '),
    ...facts(entry.seen, entry),
    ...findings,
    ...entry.suppressed.map(
      ({ finding, reason }) => `<li>Suppressed: <code>${html(finding.ruleId)}</code>, because: ${html(reason)}</li>`,
    ),
    ...(entry.review !== undefined && entry.review.cleared > 0
      ? ['<li>Ticks were taken away, because the code or what it shows changed since.</li>']
      : []),
  ];
  const { filled, silent } = splitBySilence(entry.questions);
  const quiet =
    silent.length === 0
      ? ''
      : `<div class="silent"><p class="hint">${html(silenceNote(silent.length, filled.length))}</p>${silent.map((question) => renderQuestion(question, entry)).join('')}</div>`;
  const range =
    entry.endLine > entry.startLine ? `${String(entry.startLine)}–${String(entry.endLine)}` : String(entry.startLine);
  return `<section id="e${String(at)}" data-key="${key}">
<h2><code>${html(entry.name)}</code> <span class="kind">${html(kindNames[entry.kind])}${entry.isTest ? ' in test code' : ''}</span></h2>
<p class="place"><code>${html(entry.path)}:${range}</code></p>
${notes.length === 0 ? '' : `<ul class="notes">${notes.join('')}</ul>`}
${filled.map((question) => renderQuestion(question, entry)).join('\n')}
${quiet}
<label class="why">Justification<textarea rows="2" data-field="justification">${html(entry.review?.justification ?? '')}</textarea></label>
</section>`;
}

function renderQuestion(question: Question, entry: Entry): string {
  const shown = facts(question.facts, entry);
  const isTicked = entry.review?.ticked.includes(question.id) === true;
  const answer =
    question.answer === undefined ? '' : `<p class="answer">The code answers: ${html(question.answer)}.</p>`;
  return `<div class="question"><label><input type="checkbox" data-field="${html(question.id)}"${isTicked ? ' checked' : ''}> <span><strong>${html(question.title)}.</strong> ${html(question.text)}</span></label>${answer}${shown.length === 0 ? '' : `<ul>${shown.join('')}</ul>`}</div>`;
}

function facts(list: readonly Fact[], entry: Entry, lead = ''): readonly string[] {
  return groupFacts(list, entry).map(({ text, places }) => {
    const shown =
      /^Lines? \d/u.test(text) || places.length === 0 ? '' : ` <span class="at">${html(places.join(', '))}</span>`;
    return `<li>${lead}${html(text)}${shown}</li>`;
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function html(text: string): string {
  return text.replace(/[&<>"']/gu, (letter) => ENTITIES[letter] ?? letter);
}

const STYLE = `
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#1d232b;--soft:#5b6673;--line:#dfe3e8;--accent:#2459c4;--tint:#eef3fd;--error:#b42318;--warning:#8f5200;--note:#41607f;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
@media(prefers-color-scheme:dark){:root{--paper:#14171c;--card:#1c2128;--ink:#e4e8ee;--soft:#9aa6b4;--line:#323a44;--accent:#8ab4ff;--tint:#222c3d;--error:#ff8f83;--warning:#f2b65c;--note:#9cc0e6}}
*{box-sizing:border-box}html{scroll-padding-top:3.5rem}body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:anywhere}
header{position:sticky;top:0;z-index:1;background:var(--card);border-bottom:1px solid var(--line)}.bar,main{max-width:50rem;margin:0 auto;padding:.6rem 1rem}.bar{display:flex;justify-content:space-between;gap:1rem}#done{color:var(--soft);font-variant-numeric:tabular-nums}
main{padding-bottom:4rem}h1{font-size:1.3rem;line-height:1.35;margin:.8rem 0 .4rem}h2{font-size:1.1rem;margin:0}h2 code{font-size:1em}p{margin:.4rem 0}a{color:var(--accent);text-underline-offset:.15em}
code{font:.875em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}ul,ol{padding-left:1.2rem;margin:.35rem 0}li{margin:.2rem 0}
section,.contents{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1rem;margin:1rem 0}summary{cursor:pointer;font-weight:600}
.kind,.place,.hint,.at{font-weight:400;font-size:.875rem;color:var(--soft)}.place{margin:.1rem 0 .5rem}.notes{font-size:.9375rem}
b.error,b.warning,b.note{font-size:.75rem;letter-spacing:.02em;border:1px solid currentColor;border-radius:1rem;padding:.05rem .5rem}b.error{color:var(--error)}b.warning{color:var(--warning)}b.note{color:var(--note)}
.question{border-top:1px solid var(--line);padding:.55rem 0}.question>ul,.answer{margin:.3rem 0 .1rem 2.1rem;padding-left:0;font-size:.9375rem}.question>ul{padding-left:1rem}.answer{border-left:3px solid var(--accent);background:var(--tint);padding:.25rem .6rem;border-radius:0 .3rem .3rem 0}
.silent{border-top:1px solid var(--line);padding-top:.4rem}.silent .question{border-top:0;padding:.2rem 0;font-size:.9375rem;color:var(--soft)}.silent .question strong{color:var(--ink)}
label{display:flex;gap:.7rem;align-items:flex-start;cursor:pointer}input{flex:none;width:1.4rem;height:1.4rem;margin:.05rem 0;accent-color:var(--accent)}
.why{display:block;border-top:1px solid var(--line);padding-top:.55rem;font-weight:600}textarea{display:block;width:100%;margin-top:.3rem;padding:.5rem .6rem;font:inherit;font-weight:400;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:.4rem;resize:vertical}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}@media print{header{position:static}.contents{display:none}section{break-inside:avoid}}`;

const SCRIPT = `const boxes = [...document.querySelectorAll('input[type=checkbox]')];
const count = () => { document.getElementById('done').textContent = boxes.filter((box) => box.checked).length + ' of ' + boxes.length + ' ticked'; };
for (const section of document.querySelectorAll('section[data-key]')) for (const field of section.querySelectorAll('[data-field]')) {
  const key = 'lifetime-lint:' + section.dataset.key + ':' + field.dataset.field;
  const isBox = field.type === 'checkbox';
  try { const kept = localStorage.getItem(key); if (kept !== null) { if (isBox) field.checked = kept === '1'; else field.value = kept; } } catch {}
  field.addEventListener('input', () => { count(); try { localStorage.setItem(key, isBox ? (field.checked ? '1' : '0') : field.value); } catch {} });
}
if (boxes.length > 0) count();`;
