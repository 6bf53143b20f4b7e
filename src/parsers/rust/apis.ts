import type { ApiRow } from '../../flow/api.js';

export const rustApis: readonly ApiRow[] = [];
