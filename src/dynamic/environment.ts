/** Names handed on to children as they are. Everything else, tokens above all, stays with the parent. */
const allowed: ReadonlySet<string> = new Set([
  'PATH',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TERM',
  'LD_LIBRARY_PATH',
  'DYLD_LIBRARY_PATH',
  'DYLD_FALLBACK_LIBRARY_PATH',
  // Without these no program starts on Windows.
  'SYSTEMROOT',
  'SYSTEMDRIVE',
  'WINDIR',
  'COMSPEC',
  'PATHEXT',
  'NUMBER_OF_PROCESSORS',
  'PROCESSOR_ARCHITECTURE',
  'OS',
]);

/** What a package manager or a compiler needs beside the above: its own configuration and the way to the network. */
const allowedForTools: ReadonlySet<string> = new Set([
  'HOME',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'PROGRAMFILES',
  'PROGRAMDATA',
  'TMPDIR',
  'TEMP',
  'TMP',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'CARGO_HOME',
  'RUSTUP_HOME',
  'RUSTUP_TOOLCHAIN',
  'CC',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]);

function filter(source: NodeJS.ProcessEnv, keep: (upper: string) => boolean): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(source)) {
    if (value !== undefined && keep(name.toUpperCase())) result[name] = value;
  }
  return result;
}

/**
 * The environment of a child that runs a target: the allow-list, a home and a temporary folder of its own (`folder`), and what
 * the plan adds. Names are compared without case, because Windows does.
 */
export function childEnvironment(
  source: NodeJS.ProcessEnv,
  folder: string,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const home = {
    HOME: folder,
    USERPROFILE: folder,
    TMPDIR: folder,
    TEMP: folder,
    TMP: folder,
    XDG_CACHE_HOME: folder,
  };
  return {
    ...filter(source, (name) => allowed.has(name) || name.startsWith('LC_')),
    ...home,
    ...extra,
  };
}

/** The environment of npm, cargo and compilers: wider, because they run none of the target's code. */
export function toolEnvironment(source: NodeJS.ProcessEnv): Record<string, string> {
  return filter(
    source,
    (name) =>
      allowed.has(name) ||
      allowedForTools.has(name) ||
      name.startsWith('LC_') ||
      name.startsWith('NPM_CONFIG_') ||
      name.startsWith('CARGO_'),
  );
}
