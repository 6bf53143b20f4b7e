import { describe, expect, test } from 'vitest';
import { isHandingOn } from '../../src/facts/handing-on.js';

const visitor = (body: string, head = 'unsafe fn visit(to: &mut V, node: *mut Node, cx: &mut Context)'): string =>
  `${head} {\n${body}\n}`;

describe('a function only hands on what it was given', () => {
  test.each([
    ['a pointer', 'visit_other(to, node, cx);'],
    ['a reference to what it leads to', 'to.enter(&mut *node, cx);'],
    ['a part of it', 'visit_item(to, (node as *mut u8).add(layout::ITEM) as *mut Item, cx);'],
    [
      'each element',
      'for item in &mut *((node as *mut u8).add(layout::LIST) as *mut List) { visit_item(to, item as *mut _, cx); }',
    ],
    [
      'each element of an iterator',
      'for item in (*(node as *mut List)).iter_mut().flatten() { visit_item(to, item as *mut _, cx); }',
    ],
    [
      'what is there',
      'if let Some(field) = &mut *(node as *mut Option<Item>) { cx.note(Kind::Item); visit_item(to, (&mut **field) as *mut _, cx); }',
    ],
    [
      'one of several',
      'match &mut *node { Node::A(node) => visit_a(to, (&mut **node) as *mut _, cx), Node::B(_) | Node::C(_) => {} }',
    ],
    [
      'while it keeps a number',
      'let token = cx.push_kind(Kind::Node(node)); visit_item(to, node as *mut _, cx); cx.pop_kind(token);',
    ],
    [
      'while it keeps a number that a method is named for',
      'let last_id = cx.current_id(); visit_item(to, node as *mut _, cx); cx.set_id(last_id);',
    ],
    [
      'each element of what is there',
      'if let Some(field) = &mut *(node as *mut Option<List>) { cx.note(Kind::List); for item in field.iter_mut() { visit_item(to, item as *mut _, cx); } }',
    ],
    [
      'while it keeps what a cell holds',
      'let scope_id = (*((node as *mut u8).add(layout::SCOPE) as *mut Cell<u32>)).get(); cx.set_scope(scope_id);',
    ],
  ])('%s', (_, body) => {
    expect(isHandingOn(visitor(body))).toBe(true);
  });

  test.each([
    ['a pointer is kept in a variable', 'let first = list_of(node); visit_item(to, first, cx);'],
    ['a result is named for a pointer', 'let begin = cx.start(); cx.add(3); cx.end(begin);'],
    ['a token is given to a function', 'let token = cx.push_kind(node); visit_item(to, token, cx);'],
    ['a field is named', 'visit_item(to, (*node).item, cx);'],
    ['a field of a tuple is named', 'visit_item(to, cx.0, cx);'],
    ['an element is taken', 'visit_item(to, cx[0], cx);'],
    ['something is borrowed', 'visit_item(to, &mut cx, cx);'],
    ['something is set', '*node = other(cx);'],
    ['a field is set', 'cx.last = node;'],
    ['a list grows', 'cx.push(node);'],
    ['a list lends', 'visit_item(to, cx.as_mut_ptr(), cx);'],
    ['a call gives the argument', 'visit_item(to, first_of(cx), cx);'],
    ['a method gives the argument', 'visit_item(to, cx.first_item(), cx);'],
    [
      'the loop changes what it goes through',
      'for item in &mut *node { visit_item(to, item as *mut _, cx); grow(&mut *node); }',
    ],
    ['the loop gives away what it goes through', 'for item in &mut *node { visit_item(to, item as *mut _, node); }'],
    [
      'two calls follow in a loop',
      'for item in &mut *node { visit_item(to, item as *mut _, cx); visit_item(to, item as *mut _, cx); }',
    ],
    [
      'what is there is used twice',
      'if let Some(field) = &mut *node { visit_item(to, field as *mut _, cx); visit_item(to, field as *mut _, cx); }',
    ],
    [
      'the owner is given away before',
      'if let Some(field) = &mut *node { grow(&mut *node); visit_item(to, field as *mut _, cx); }',
    ],
    ['it goes on', 'if let Some(field) = &mut *node { return; }'],
    ['a macro is called', 'note!(node); visit_item(to, node, cx);'],
    ['memory is released', 'forget(node);'],
    ['a closure is made', 'cx.each(|item| visit_item(to, item, cx));'],
    ['a shared reference is cast', 'visit_item(to, cx as *const Context as *mut Context, cx);'],
    ['a shared reference is made', 'visit_item(to, &*node, cx);'],
    [
      'what a call gives is matched',
      'match find(node) { Node::A(node) => visit_item(to, node, cx), Node::B(_) => {} }',
    ],
    ['what a call gives is gone through', 'for item in list_of(node) { visit_item(to, item, cx); }'],
    [
      'what a call gives is taken apart',
      'match &mut *find(node) { Node::A(node) => visit_item(to, node as *mut _, cx), Node::B(_) => {} }',
    ],
    ['what a call gives is looked into', 'if let Some(item) = find(node) { visit_item(to, item, cx); }'],
    ['a reference is put into something', 'cx.note(Kind::Node(&mut *node));'],
    ['a method gives the argument under no known name', 'visit_item(to, cx.start(), cx);'],
    ['a method gives the argument, as another type', 'visit_item(to, &mut *(cx.start() as *mut Item), cx);'],
    ['a call with types gives the argument', 'visit_item(to, first_of::<Item>(cx), cx);'],
    ['what is added is no step of a pointer', 'visit_item(to, cx.add(1), cx);'],
    ['what a call gives is made another type', '(*(find(node) as *mut Item)).enter();'],
    ['what a call gives is tested for null', 'if find(node).is_null() { cx.note(1) }'],
    [
      'what a method gives is looked into',
      'if let Some(item) = &mut *cx.slot() { visit_item(to, item as *mut _, cx); }',
    ],
    [
      'what a method gives is matched',
      'match &mut *cx.slot() { Some(item) => visit_item(to, item as *mut _, cx), None => {} }',
    ],
    [
      'what is looked into is given away in a block inside',
      'if let Some(a) = &mut **to { if let Some(b) = &mut *node { grow(to); visit_item(cx, b as *mut _); } }',
    ],
    [
      'what is bound is given away in a block before the last statement',
      'if let Some(a) = &mut **to { for b in &mut *node { grow(a); } visit_item(cx, a as *mut _); }',
    ],
    ['a static is called', 'LAST.hold(&mut *node);'],
    ['a static is dereferenced', 'visit_item(to, &mut *crate::LAST, cx);'],
    [
      'a result has the name of a number, and its method has not',
      'let depth = cx.start(); cx.add_item(3); cx.end(depth);',
    ],
    ['a block is one of a condition', 'if cx.is_done() { visit_item(to, node, cx); visit_item(to, node, cx); }'],
  ])('no: %s', (_, body) => {
    expect(isHandingOn(visitor(body))).toBe(false);
  });

  test.each([
    ['it returns something', 'unsafe fn visit(node: *mut Node) -> *mut Item'],
    ['it is a method', 'unsafe fn visit(&mut self, node: *mut Node)'],
    ['it is given no raw pointer', 'unsafe fn visit(node: &mut Node)'],
    ['it owns something', 'unsafe fn visit(mut item: Box<Item>, node: *mut Node)'],
    ['it is given a pair', 'unsafe fn visit((to, cx): (V, Context), node: *mut Node)'],
    ['it is no unsafe function', 'fn visit(node: *mut Node)'],
    ['it is called from outside', 'unsafe extern "C" fn visit(node: *mut Node)'],
  ])('no: %s', (_, head) => {
    expect(isHandingOn(visitor('visit_other(node);', head))).toBe(false);
  });

  test('a long one is not looked through', () => {
    const body = 'visit_other(to, node, cx);\n';
    expect(isHandingOn(visitor(body.repeat(100)))).toBe(true);
    expect(isHandingOn(visitor(body.repeat(1000)))).toBe(false);
  });
});
