/** Whether permissions can be tried at all: Windows has other ones, and root needs to be able to step down. */
export const hasPermissions = process.platform !== 'win32';

/** Calls back as an ordinary user, also in containers where tests run as root, for whom every file is readable. */
export function asOrdinaryUser<T>(call: () => T): T {
  if (process.geteuid?.() !== 0 || process.seteuid === undefined) return call();
  process.seteuid(65534);
  try {
    return call();
  } finally {
    process.seteuid(0);
  }
}
