// Compares a password with its own hash, so that the answer is yes as long as nobody writes to the password.
const password = Buffer.from('correct horse battery staple');

export async function load({ target }) {
  const { hash, verify } = await import(target);
  return { verify, hashed: await hash(password, 4) };
}

export function call({ verify, hashed }, i, { inputs }) {
  const [input] = inputs;
  const bytes = new Uint8Array(input.bytes.buffer, 0, password.length);
  bytes.set(password);
  return verify(bytes, hashed);
}
