/** One expression: parsed once when the plan is read, then evaluated against a scope. */
import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { CelMistake, type Compiled, compile } from "./cel/compile.ts";
import { Evaluation, jsonOf, type Scope } from "./cel/value.ts";
import type { Place } from "./finding.ts";

/** Only the parser of the library is used; its limits keep an expression small. */
const parser = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 2000, maxDepth: 50, maxListElements: 500, maxMapEntries: 500, maxCallArguments: 8 },
});
const maxLength = 10_000;

export class Expression {
  readonly text: string;
  readonly ast: ASTNode;
  /** Names from outside, with the offset where each first stands. */
  readonly names: ReadonlyMap<string, number>;
  readonly #compiled: Compiled;
  readonly #place: (offset: number) => Place;

  /** Throws CelMistake. */
  constructor(text: string, place: (offset: number) => Place) {
    this.text = text;
    this.#place = place;
    this.ast = parse(text);
    this.#compiled = compile(this.ast);
    this.names = this.#compiled.names;
  }

  /** Where its first character stands that is no space. */
  get start(): Place {
    return this.#place(this.text.length - this.text.trimStart().length);
  }
  place(offset = 0): Place {
    return this.#place(offset);
  }

  /** Throws OnexError `EXPRESSION_FAILED`, `EXPRESSION_LIMIT`, `NUMBER_TOO_LARGE`. */
  evaluate(scope: Scope): Json {
    try {
      const value = this.#compiled.run(new Evaluation(scope));
      return this.#compiled.timed ? jsonOf(value) : (value as Json);
    } catch (error) {
      if (!(error instanceof OnexError)) throw error;
      const { line, column } = this.#place(0);
      const where = line === 0 ? "" : ` (line ${line}, column ${column})`;
      throw new OnexError(error.code, `\`${clip(this.text)}\`${where}: ${error.message}`);
    }
  }
}

function parse(text: string): ASTNode {
  if (text.length > maxLength)
    throw new CelMistake(
      "EXPRESSION_INVALID",
      0,
      `an expression has at most ${maxLength} characters, and this one has ${text.length}; use a compute node`,
    );
  if (text.trim() === "") throw new CelMistake("EXPRESSION_INVALID", 0, "the expression is empty");
  try {
    return parser.parse(text).ast;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { summary, range } = error as { summary?: string; range?: { start: number } };
    throw new CelMistake("EXPRESSION_INVALID", range?.start ?? 0, `this is not an expression: ${plain(summary ?? error.message)}`);
  }
}

/** The library's words, without its capital names of tokens. */
function plain(message: string): string {
  const words: Readonly<Record<string, string>> = {
    EOF: "its end",
    IDENTIFIER: "a name",
    RPAREN: '")"',
    LPAREN: '"("',
    RBRACKET: '"]"',
    LBRACKET: '"["',
    RBRACE: '"}"',
    LBRACE: '"{"',
    COLON: '":"',
    COMMA: '","',
    DOT: '"."',
    NUMBER: "a number",
    STRING: "a text",
    BOOLEAN: "true or false",
    NULL: "null",
    GT: '">"',
    LT: '"<"',
    GE: '">="',
    LE: '"<="',
    EQ: '"=="',
    NE: '"!="',
    AND: '"&&"',
    OR: '"||"',
    NOT: '"!"',
    PLUS: '"+"',
    MINUS: '"-"',
    MULTIPLY: '"*"',
    DIVIDE: '"/"',
    MODULO: '"%"',
    QUESTION: '"?"',
  };
  const line = message.split("\n")[0] ?? message;
  const plainer = line.replaceAll(/\b[A-Z]{2,}\b/g, (token) => words[token] ?? token.toLowerCase());
  return plainer.charAt(0).toLowerCase() + plainer.slice(1);
}

function clip(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
