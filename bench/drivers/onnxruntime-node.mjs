// Runs a model of one `Identity` node on four numbers; the model is put together here, byte by byte (ONNX is protobuf).
const text = (value) => [...Buffer.from(value)];
const field = (number, bytes) => [(number << 3) | 2, bytes.length, ...bytes];
const number = (at, value) => [at << 3, value];
const tensor = (name) => [
  ...field(1, text(name)),
  ...field(2, field(1, [...number(1, 1), ...field(2, field(1, number(1, 4)))])),
];
const graph = [
  ...field(1, [...field(1, text('x')), ...field(2, text('y')), ...field(4, text('Identity'))]),
  ...field(2, text('g')),
  ...field(11, tensor('x')),
  ...field(12, tensor('y')),
];
const model = Uint8Array.from([...number(1, 7), ...field(7, graph), ...field(8, number(2, 13))]);

export async function load({ target }) {
  const runtime = await import(target);
  const ort = runtime.default ?? runtime;
  return { ort, session: await ort.InferenceSession.create(model) };
}

export async function call({ ort, session }, i) {
  const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(i, 1, 2, 3), [4]) });
  return [...y.data];
}
