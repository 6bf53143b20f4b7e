import { describeEvidence } from '../report/describe-evidence.js';
import { kindNames, type Checklist, type Entry, type Fact, type Question } from './checklist.js';
import { groupFacts, stateOf, verdictOf } from './words.js';

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
<main>
<h1>Lifetime checklist</h1>
<p><strong>${html(verdictOf(list))}</strong> ${list.entries.length === 0 ? '' : html(stateOf(list))}</p>
<p class="hint">Ticks and justifications on this page stay in this browser only.</p>
${list.entries.map((entry) => renderEntry(entry, linkOf)).join('\n')}
${gaps.length + list.gapsElsewhere === 0 ? '' : `<section><h2>What was not seen</h2><ul>${gaps.join('')}${list.gapsElsewhere === 0 ? '' : `<li>${String(list.gapsElsewhere)} more in files that did not change.</li>`}</ul></section>`}
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function renderEntry(entry: Entry, linkOf: (ruleId: string) => string | undefined): string {
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
    return `<li class="${finding.severity}"><strong>${finding.severity}</strong> ${rule} <code>${html(finding.location.path)}:${String(finding.location.startLine)}</code> ${html(finding.message)}${steps === '' ? '' : `<ul>${steps}</ul>`}</li>`;
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
  return `<section data-key="${key}">
<h2><code>${html(entry.name)}</code> <span class="kind">${html(kindNames[entry.kind])}${entry.isTest ? ' in test code' : ''}</span></h2>
<p class="place"><code>${html(entry.path)}:${String(entry.startLine)}-${String(entry.endLine)}</code></p>
${notes.length === 0 ? '' : `<ul>${notes.join('')}</ul>`}
${entry.questions.map((question) => renderQuestion(question, entry)).join('\n')}
<label class="why">Justification<textarea rows="2" data-field="justification">${html(entry.review?.justification ?? '')}</textarea></label>
</section>`;
}

function renderQuestion(question: Question, entry: Entry): string {
  const shown = facts(question.facts, entry);
  const isTicked = entry.review?.ticked.includes(question.id) === true;
  const answer =
    question.answer === undefined ? '' : `<p class="answer">The code answers: ${html(question.answer)}.</p>`;
  const silence =
    shown.length === 0 && question.answer === undefined ? '<p class="hint">The code shows nothing about it.</p>' : '';
  return `<div class="question"><label><input type="checkbox" data-field="${html(question.id)}"${isTicked ? ' checked' : ''}> <span><strong>${html(question.title)}.</strong> ${html(question.text)}</span></label>${answer}${silence}${shown.length === 0 ? '' : `<ul>${shown.join('')}</ul>`}</div>`;
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

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{margin:0}main{max-width:52rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:0}code{overflow-wrap:anywhere;font-size:.9em}section{border:1px solid #8886;border-radius:.5rem;padding:.75rem;margin:1rem 0}
ul{padding-left:1.2rem;margin:.3rem 0}.kind,.place,.hint,.at{font-weight:400;font-size:.875rem;opacity:.75}.place{margin:.2rem 0}.question{border-top:1px solid #8884;padding:.5rem 0}
.question>ul,.question>p{margin:.2rem 0 .2rem 2rem;font-size:.9rem}label{display:flex;gap:.6rem;align-items:flex-start}input{flex:none;width:1.4rem;height:1.4rem;margin:.1rem 0}
.why{display:block}textarea{box-sizing:border-box;width:100%;font:inherit}.error strong{color:#c62828}.warning strong{color:#b26a00}.answer{font-style:italic}`;

const SCRIPT = `for (const section of document.querySelectorAll('section[data-key]')) for (const field of section.querySelectorAll('[data-field]')) {
  const key = 'lifetime-lint:' + section.dataset.key + ':' + field.dataset.field;
  const isBox = field.type === 'checkbox';
  try { const kept = localStorage.getItem(key); if (kept !== null) { if (isBox) field.checked = kept === '1'; else field.value = kept; } } catch {}
  field.addEventListener('input', () => { try { localStorage.setItem(key, isBox ? (field.checked ? '1' : '0') : field.value); } catch {} });
}`;
