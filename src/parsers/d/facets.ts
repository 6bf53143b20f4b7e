export const dFacets: readonly string[] = [];
