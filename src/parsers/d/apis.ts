import type { ApiRow } from '../../flow/api.js';

export const dApis: readonly ApiRow[] = [];
