import { testRule } from './support.js';

const minGw =
  "process.config?.variables?.shlib_suffix === 'dll.a' || process.config?.variables?.node_target_type === 'shared_library'";

testRule('loader-process-report', {
  valid: [
    {
      name: 'a report in a file that loads nothing native',
      code: 'console.log(process.report.getReport());',
      filename: '/p/a.js',
    },
    {
      name: 'a report on Linux only',
      code: "if (process.platform === 'linux') process.report.getReport(); require('./a.node');",
      filename: '/p/a.js',
    },
    {
      name: 'a function that only Linux calls',
      code: "const isMusl = () => process.report.getReport(); if (process.platform === 'linux') isMusl(); require('./a.node');",
      filename: '/p/a.js',
    },
    {
      name: 'behind && with the platform',
      code: "const musl = process.platform !== 'win32' && !process.report.getReport().header; require('./a.node');",
      filename: '/p/a.js',
    },
    {
      name: 'below an early return on Windows',
      code: "function f() { if (process.platform === 'win32') { return 1; } return process.report.getReport(); } f(); require('./a.node');",
      filename: '/p/a.js',
    },
    {
      name: 'a constant that holds the platform',
      code: "import { platform } from 'node:process'; import './a.node'; const isWindows = platform === 'win32'; export const r = isWindows ? null : process.report.getReport();",
      filename: '/p/a.mjs',
    },
    {
      name: 'by os.platform()',
      code: "const os = require('os'); if (os.platform() !== 'win32') { process.report.getReport(); } require('./a.node');",
      filename: '/p/a.js',
    },
    {
      name: 'by a list of platforms',
      code: "if (['linux', 'android'].includes(process.platform)) process.report.getReport(); require('./a.node');",
      filename: '/p/a.js',
    },
    {
      name: 'a report in a child process is text here',
      code: "require('child_process').spawnSync(process.execPath, ['-p', 'process.report.getReport()']); require('./a.node');",
      filename: '/p/a.js',
    },
    { name: 'a method of the same name', code: "reporter.getReport(); require('./a.node');", filename: '/p/a.js' },
  ],
  invalid: [
    {
      name: 'the test for MinGW of @napi-rs/cli 3.3',
      code: "if (process.platform === 'win32') { if (process.report?.getReport?.()?.header?.osName?.startsWith?.('MINGW')) { require('./a.win32-x64-gnu.node'); } }",
      filename: '/p/a.js',
      errors: [
        {
          messageId: 'onWindows',
          data: { call: 'process.report?.getReport()' },
          suggestions: [
            {
              messageId: 'useConfigVariables',
              output: `if (process.platform === 'win32') { if (${minGw}) { require('./a.win32-x64-gnu.node'); } }`,
            },
          ],
        },
      ],
    },
    {
      name: 'on every platform',
      code: "const { report } = require('process'); const libc = report.getReport().header.glibcVersionRuntime; require('./a.node');",
      filename: '/p/a.js',
      errors: [{ messageId: 'everywhere' }],
    },
    {
      name: 'the switch reaches it by default',
      code: "switch (process.platform) { case 'darwin': break; default: process.report.getReport(); } require('./a.node');",
      filename: '/p/a.js',
      errors: [{ messageId: 'everywhere' }],
    },
    {
      name: 'the case of Windows',
      code: "switch (process.platform) { case 'win32': process.report.getReport(); break; default: } require('./a.node');",
      filename: '/p/a.js',
      errors: [{ messageId: 'onWindows' }],
    },
    {
      name: 'the case above falls through',
      code: "switch (process.platform) { case 'win32': load(); case 'linux': process.report.getReport(); break; } require('./a.node');",
      filename: '/p/a.js',
      errors: [{ messageId: 'everywhere' }],
    },
    {
      name: 'the else branch of the other platforms',
      code: "if (process.platform === 'linux') { a(); } else { process.report.getReport(); } require('./a.node');",
      filename: '/p/a.js',
      errors: [{ messageId: 'onWindows' }],
    },
    {
      name: 'a function that is exported',
      code: "import './a.node'; export function libc() { return process.report.getReport(); }",
      filename: '/p/a.mjs',
      errors: [{ messageId: 'everywhere' }],
    },
  ],
});

testRule('whole-backing-store', {
  valid: [
    'const b = Buffer.alloc(4); send(b.buffer);',
    'const b = Buffer.allocUnsafe(64 * 1024); send(b.buffer);',
    'const b = Buffer.from("x"); send(b.buffer, b.byteOffset, b.byteLength);',
    'const b = Buffer.from("x"); send(b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));',
    'const b = Buffer.from("x"); if (a.buffer === b.buffer) same();',
    'const b = Buffer.from("x"); const n = b.buffer.byteLength;',
    'const store = new ArrayBuffer(8); const b = Buffer.from(store); send(b.buffer);',
    'send(unknown().buffer); send(gl.buffer);',
    'const b = Buffer.from("x"); port.postMessage(b, [b.buffer]);',
  ].map((code) => ({ code, name: code, filename: '/p/a.js' })),
  invalid: [
    {
      name: 'a view of the pool for a view of its own',
      code: "const b = Buffer.from('x'); new Uint8Array(b.buffer);",
      errors: [
        {
          messageId: 'handedOn',
          data: { buffer: 'b', origin: "Buffer.from('x')" },
          suggestions: [
            {
              messageId: 'addBounds',
              output: "const b = Buffer.from('x'); new Uint8Array(b.buffer, b.byteOffset, b.byteLength);",
            },
          ],
        },
      ],
    },
    {
      name: 'an argument',
      code: 'const b = Buffer.concat(parts); crc(b.buffer);',
      errors: [
        {
          messageId: 'handedOn',
          suggestions: [
            {
              messageId: 'copyRange',
              output: 'const b = Buffer.concat(parts); crc(b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));',
            },
          ],
        },
      ],
    },
    {
      name: 'a subarray',
      code: 'const b = new Uint8Array(8).subarray(2); new Uint16Array(b.buffer);',
      errors: [{ messageId: 'handedOn' }],
    },
    {
      name: 'a view with an offset',
      code: 'const b = new Uint8Array(store, 4); new Uint16Array(b.buffer);',
      errors: [{ messageId: 'handedOn' }],
    },
    {
      name: 'a copy of everything',
      code: 'const b = Buffer.from("x"); keep(b.buffer.slice(0));',
      errors: [{ messageId: 'handedOn' }],
    },
    { name: 'without a name', code: 'keep(Buffer.from("x").buffer);', errors: [{ messageId: 'handedOn' }] },
    {
      name: 'a parameter',
      code: 'function f(b: Uint8Array) { return new DataView(b.buffer); }',
      errors: [
        {
          messageId: 'parameter',
          suggestions: [
            {
              messageId: 'addBounds',
              output: 'function f(b: Uint8Array) { return new DataView(b.buffer, b.byteOffset, b.byteLength); }',
            },
          ],
        },
      ],
    },
  ],
});

testRule('pooled-buffer-transfer', {
  valid: [
    { name: 'a store of its own', code: 'const b = Buffer.alloc(4); port.postMessage(b, [b.buffer]);' },
    { name: 'no list', code: 'const b = Buffer.from("x"); port.postMessage(b);' },
    { name: 'a port in the list', code: 'worker.postMessage(channel.port1, [channel.port1]);' },
    {
      name: 'a buffer of an ArrayBuffer',
      code: 'const b = Buffer.from(new ArrayBuffer(8)); port.postMessage(b, [b.buffer]);',
    },
  ],
  invalid: [
    {
      name: 'the only element',
      code: 'const b = Buffer.from("x"); port.postMessage(b, [b.buffer]);',
      errors: [
        {
          messageId: 'inTransferList',
          suggestions: [
            { messageId: 'removeFromList', output: 'const b = Buffer.from("x"); port.postMessage(b, []);' },
          ],
        },
      ],
    },
    {
      name: 'the first element',
      code: 'const b = Buffer.from("x"); port.postMessage(b, [b.buffer, other]);',
      errors: [
        {
          messageId: 'inTransferList',
          suggestions: [
            { messageId: 'removeFromList', output: 'const b = Buffer.from("x"); port.postMessage(b, [other]);' },
          ],
        },
      ],
    },
    {
      name: 'the last element',
      code: 'const b = Buffer.from("x"); structuredClone(b, { transfer: [other, b.buffer] });',
      errors: [
        {
          messageId: 'inTransferList',
          suggestions: [
            {
              messageId: 'removeFromList',
              output: 'const b = Buffer.from("x"); structuredClone(b, { transfer: [other] });',
            },
          ],
        },
      ],
    },
    {
      name: 'a store with a name',
      code: 'const b = Buffer.allocUnsafe(4); const store = b.buffer; port.postMessage(b, [store]);',
      errors: [
        {
          messageId: 'inTransferList',
          suggestions: [
            {
              messageId: 'removeFromList',
              output: 'const b = Buffer.allocUnsafe(4); const store = b.buffer; port.postMessage(b, []);',
            },
          ],
        },
      ],
    },
    { name: 'detached by hand', code: 'Buffer.from("x").buffer.transfer();', errors: [{ messageId: 'detached' }] },
  ],
});

testRule('buffer-mutated-in-flight', {
  valid: [
    {
      name: 'an addon that nothing names',
      code: "const { seal } = require('vault'); const p = seal(buf); buf.writeUInt8(1, 0); await p;",
      filename: '/p/a.mjs',
    },
  ],
  invalid: [
    {
      name: 'an addon that the settings name',
      code: "import { sealAsync } from 'vault'; async function f() { const buf = Buffer.alloc(4); sealAsync(buf); buf.fill(1); }",
      filename: '/p/a.mjs',
      settings: { 'lifetime-lint': { native: ['vault'] } },
      errors: [
        {
          messageId: 'written',
          data: { buffer: 'buf', how: 'buf.fill()', callee: 'sealAsync', line: 1 },
          suggestions: [
            {
              messageId: 'awaitCall',
              output:
                "import { sealAsync } from 'vault'; async function f() { const buf = Buffer.alloc(4); await sealAsync(buf); buf.fill(1); }",
            },
            {
              messageId: 'copyArgument',
              output:
                "import { sealAsync } from 'vault'; async function f() { const buf = Buffer.alloc(4); sealAsync(Buffer.from(buf)); buf.fill(1); }",
            },
          ],
        },
      ],
    },
  ],
});

testRule(
  'addon-only-in-workers',
  {
    valid: [],
    invalid: [
      {
        name: 'the import goes to the top of the file that starts the workers',
        code: "import { Worker } from 'node:worker_threads';\nnew Worker(new URL('./worker.mjs', import.meta.url));",
        filename: '/p/main.mjs',
        errors: [
          {
            messageId: 'onlyInWorkers',
            data: { addon: 'sharp', worker: 'worker.mjs' },
            suggestions: [
              {
                messageId: 'loadOnMainThread',
                output:
                  "import 'sharp';\nimport { Worker } from 'node:worker_threads';\nnew Worker(new URL('./worker.mjs', import.meta.url));",
              },
            ],
          },
        ],
      },
    ],
  },
  { '/p/worker.mjs': "import sharp from 'sharp';\nawait sharp('a').toBuffer();", '/p/package.json': '{"name": "p"}' },
);
