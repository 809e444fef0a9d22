/**
 * A module as a tree with names: what each identifier means, who reads and who writes it. Only what the checks of
 * workflows need: `with`, direct `eval` and globals that are set elsewhere are not looked at.
 */
import type { AnyNode, ArrowFunctionExpression, FunctionDeclaration, FunctionExpression, Identifier, Program } from "acorn";

export type FunctionNode = FunctionDeclaration | FunctionExpression | ArrowFunctionExpression;

export interface Binding {
  readonly name: string;
  /** What the name stands for from the start: a variable's value, the function, the import. */
  readonly value: AnyNode | undefined;
  /** Of an import: where from, and as what ("*": the whole module). */
  readonly imported: { readonly from: string; readonly as: string } | undefined;
  readonly reads: Identifier[];
  readonly writes: Identifier[];
}

interface Scope {
  readonly parent: Scope | undefined;
  /** `var` stays here. */
  readonly ofFunction: boolean;
  readonly names: Map<string, Binding>;
}

export interface Syntax {
  readonly program: Program;
  parent(node: AnyNode): AnyNode | undefined;
  /** What an identifier means, where it is declared and where it is used; undefined for a global. */
  binding(identifier: Identifier): Binding | undefined;
  /** A name of the module's own scope. */
  top(name: string): Binding | undefined;
  /** The functions around a node, the nearest first. */
  functions(node: AnyNode): readonly FunctionNode[];
}

export function isFunction(node: AnyNode | undefined): node is FunctionNode {
  return node?.type === "FunctionDeclaration" || node?.type === "FunctionExpression" || node?.type === "ArrowFunctionExpression";
}

export function children(node: AnyNode): AnyNode[] {
  const found: AnyNode[] = [];
  for (const value of Object.values(node) as unknown[])
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value])
      if (typeof child === "object" && child !== null && typeof (child as { type?: unknown }).type === "string")
        found.push(child as AnyNode);
  return found;
}

/** Every node below, in the order of the text; `enter` says whether to go into one. */
export function* below(node: AnyNode, enter: (node: AnyNode) => boolean = () => true): Generator<AnyNode> {
  for (const child of children(node)) {
    yield child;
    if (enter(child)) yield* below(child, enter);
  }
}

export function analyse(program: Program): Syntax {
  const parents = new Map<AnyNode, AnyNode>();
  const scopes = new Map<AnyNode, Scope>();
  const declaring = new Set<AnyNode>();
  const found = new Map<Identifier, Binding>();
  const root: Scope = { parent: undefined, ofFunction: true, names: new Map() };

  const declare = (scope: Scope, id: Identifier, value?: AnyNode, imported?: Binding["imported"]): void => {
    declaring.add(id);
    const known = scope.names.get(id.name);
    // Declared twice (`var`, a function's overload): nobody can say which of them is meant.
    if (known) known.writes.push(id);
    const binding = known ?? { name: id.name, value, imported, reads: [], writes: [] };
    scope.names.set(id.name, binding);
    found.set(id, binding);
  };
  const declarePattern = (scope: Scope, pattern: AnyNode, value?: AnyNode): void => {
    if (pattern.type === "Identifier") declare(scope, pattern, value);
    else if (pattern.type === "AssignmentPattern") declarePattern(scope, pattern.left);
    else if (pattern.type === "RestElement") declarePattern(scope, pattern.argument);
    else if (pattern.type === "ArrayPattern") for (const item of pattern.elements) item && declarePattern(scope, item);
    else if (pattern.type === "ObjectPattern")
      for (const property of pattern.properties) declarePattern(scope, property.type === "RestElement" ? property : property.value);
  };
  const functionScope = (scope: Scope): Scope => (scope.ofFunction || !scope.parent ? scope : functionScope(scope.parent));

  const declareAll = (node: AnyNode, outer: Scope): void => {
    let scope = outer;
    if (node.type === "FunctionDeclaration" && node.id) declare(outer, node.id, node);
    if (node.type === "ClassDeclaration" && node.id) declare(outer, node.id);
    if (node.type === "VariableDeclaration")
      for (const { id, init } of node.declarations)
        declarePattern(node.kind === "var" ? functionScope(outer) : outer, id, id.type === "Identifier" ? (init ?? undefined) : undefined);
    if (node.type === "ImportDeclaration")
      for (const one of node.specifiers)
        declare(outer, one.local, undefined, {
          from: String(node.source.value),
          as: one.type === "ImportNamespaceSpecifier" ? "*" : one.type === "ImportDefaultSpecifier" ? "default" : nameOf(one.imported),
        });
    if (opensScope(node)) {
      scope = { parent: outer, ofFunction: isFunction(node), names: new Map() };
      scopes.set(node, scope);
      if (node.type === "FunctionExpression" && node.id) declare(scope, node.id, node);
      if (isFunction(node)) for (const param of node.params) declarePattern(scope, param);
      if (node.type === "CatchClause" && node.param) declarePattern(scope, node.param);
    }
    for (const child of children(node)) {
      parents.set(child, node);
      declareAll(child, scope);
    }
  };
  const resolve = (node: AnyNode, outer: Scope): void => {
    const scope = scopes.get(node) ?? outer;
    if (node.type === "Identifier" && !declaring.has(node) && isReference(node, parents.get(node))) {
      let at: Scope | undefined = scope;
      while (at && !at.names.has(node.name)) at = at.parent;
      const binding = at?.names.get(node.name);
      if (binding) {
        found.set(node, binding);
        (isWritten(node, parents.get(node)) ? binding.writes : binding.reads).push(node);
      }
    }
    for (const child of children(node)) resolve(child, scope);
  };
  declareAll(program, root);
  resolve(program, root);
  return {
    program,
    parent: (node) => parents.get(node),
    binding: (identifier) => found.get(identifier),
    top: (name) => root.names.get(name),
    functions(node) {
      const around: FunctionNode[] = [];
      for (let at = parents.get(node); at; at = parents.get(at)) if (isFunction(at)) around.push(at);
      return around;
    },
  };
}

function opensScope(node: AnyNode): boolean {
  return (
    isFunction(node) ||
    node.type === "BlockStatement" ||
    node.type === "ForStatement" ||
    node.type === "ForInStatement" ||
    node.type === "ForOfStatement" ||
    node.type === "SwitchStatement" ||
    node.type === "CatchClause" ||
    node.type === "StaticBlock"
  );
}

/** Whether an identifier names a variable here, and not a property or a label. */
function isReference(id: Identifier, parent: AnyNode | undefined): boolean {
  switch (parent?.type) {
    case "MemberExpression":
      return parent.object === id || parent.computed;
    case "Property":
      return parent.value === id || parent.computed;
    case "PropertyDefinition":
      return parent.value === id || parent.computed;
    case "MethodDefinition":
      return parent.computed;
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "ImportSpecifier":
    case "MetaProperty":
      return false;
    case "ExportSpecifier":
      return parent.local === id;
    default:
      return true;
  }
}

function isWritten(id: Identifier, parent: AnyNode | undefined): boolean {
  return parent?.type === "AssignmentExpression" && parent.operator === "=" && parent.left === id;
}

/** The name of an import or export: an identifier, or text in quotes. */
export function nameOf(name: AnyNode): string {
  return name.type === "Identifier" ? name.name : name.type === "Literal" ? String(name.value) : "";
}
