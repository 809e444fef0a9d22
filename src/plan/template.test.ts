import { expect, test } from "vitest";
import { cut } from "./template.ts";

test.each([
  ["plain", [{ text: "plain" }]],
  ["${ a }", [{ hole: " a ", offset: 2 }]],
  ["x ${a} y ${b}", [{ text: "x " }, { hole: "a", offset: 4 }, { text: " y " }, { hole: "b", offset: 11 }]],
  ["It costs $${5}.", [{ text: "It costs ${5}." }]],
  ["$5 and $ {x} $$", [{ text: "$5 and $ {x} $$" }]],
  ["${ {'a': {'b': 1}} }", [{ hole: " {'a': {'b': 1}} ", offset: 2 }]],
  ["${ '}' + \"}\" }", [{ hole: " '}' + \"}\" ", offset: 2 }]],
  ["${ 'it\\'s }' }!", [{ hole: " 'it\\'s }' ", offset: 2 }, { text: "!" }]],
  ["${ r'\\' }", [{ hole: " r'\\' ", offset: 2 }]],
  ['${ """}"}""" }', [{ hole: ' """}"}""" ', offset: 2 }]],
  ["a ${ b", [{ text: "a " }, { open: 2 }]],
  ["${ 'a }", [{ open: 0 }]],
])("%s", (text, pieces) => {
  expect(cut(text)).toEqual(pieces);
});
