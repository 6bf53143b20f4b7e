import { defineJavaScriptRule } from './javascript-rule.js';
import { writesReport } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'loader-process-report',
    title: 'Diagnostic report in the loader of an addon',
    summary: 'The loader of an addon evaluates a diagnostic report on a path that Windows takes.',
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-787'],
    messages: {
      onWindows:
        "'{call}' runs on Windows while the addon is loaded: several workers that load it at once corrupt the heap of the process (0xC0000374).",
      everywhere:
        "'{call}' runs on every platform while the addon is loaded, Windows included: several workers that load it at once corrupt the heap of the process there (0xC0000374).",
      useConfigVariables: "Ask 'process.config.variables', which only reads what Node was built with.",
    },
    checklist: 'Can the loader find the right binary on Windows without a diagnostic report?',
    scenarios: ['import'],
  },
  tokens: ['getReport'],
  patterns: [writesReport],
});
