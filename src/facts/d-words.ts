/** How a D body may take an address: address-of (not the operators `&` and `&&`), `.ptr` and `ref`. */
export const D_POINTERS = /(?:[=(,;{}[:?!~]|=>|return|cast\s*\([^()]*\))\s*&\s*[A-Za-z_(]|\.ptr\b|\bref\b/u;
