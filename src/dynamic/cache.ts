import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where installed packages and built helpers are kept: `LIFETIME_LINT_CACHE`, else the system's folder for caches.
 */
export function cacheFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const own = env['LIFETIME_LINT_CACHE'];
  if (own !== undefined && own !== '') return own;
  if (platform === 'win32')
    return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'lifetime-lint', 'cache');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'lifetime-lint');
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg, 'lifetime-lint');
}
