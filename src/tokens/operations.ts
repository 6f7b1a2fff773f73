import { keyOf, type Operation, type Term } from './block.ts';
import type { Steps } from './step-counter.ts';

/** An expression that has no result: values of the wrong kind, variables that are not bound, operands that are missing. */
export class Broken extends Error {}

export type Bindings = ReadonlyMap<string, Term>;

type Closure = Extract<Operation, { kind: 'closure' }>;

/** Runs an expression on a stack, as it is written. Throws Broken, and OutOfSteps by way of `steps`. */
export const operate = (operations: readonly Operation[], bindings: Bindings, steps: Steps): Term => {
  const stack: (Term | Closure)[] = [];
  for (const operation of operations) {
    steps.take(1);
    switch (operation.kind) {
      case 'value':
        stack.push(resolve(operation.term, bindings));
        break;
      case 'closure':
        stack.push(operation);
        break;
      case 'unary':
        stack.push(unary(operation.name, termIn(stack.pop())));
        break;
      case 'binary': {
        const right = stack.pop();
        const left = termIn(stack.pop());
        stack.push(
          right?.kind === 'closure'
            ? lazily(operation.name, left, () => operate(right.operations, bindings, steps))
            : binary(operation.name, left, termIn(right), steps),
        );
      }
    }
  }
  const [result, ...others] = stack;
  if (others.length > 0) throw new Broken();
  return termIn(result);
};

const termIn = (element: Term | Closure | undefined): Term => {
  if (element === undefined || element.kind === 'closure') throw new Broken();
  return element;
};

const resolve = (term: Term, bindings: Bindings): Term => {
  if (term.kind !== 'variable') return term;
  const value = bindings.get(term.name);
  if (value === undefined) throw new Broken();
  return value;
};

const bool = (value: boolean): Term => ({ kind: 'bool', value });
const integer = (value: number): Term => ({ kind: 'integer', value: BigInt(value) });

/** What is on the right is run only when the left does not decide, and may then be anything. */
const lazily = (name: string, left: Term, right: () => Term): Term => {
  if (left.kind !== 'bool' || (name !== '&&' && name !== '||')) throw new Broken();
  return left.value === (name === '||') ? left : right();
};

const unary = (name: string, value: Term): Term => {
  if (name === 'parentheses') return value;
  if (name === 'negate' && value.kind === 'bool') return bool(!value.value);
  if (name === '.length()') return integer(lengthOf(value));
  throw new Broken();
};

/** Of texts in bytes of UTF-8. */
const lengthOf = (value: Term): number => {
  switch (value.kind) {
    case 'string':
      return Buffer.byteLength(value.value);
    case 'bytes':
      return value.value.length / 2;
    case 'set':
    case 'array':
      return value.items.length;
    case 'map':
      return value.entries.size;
    default:
      throw new Broken();
  }
};

const binary = (name: string, left: Term, right: Term, steps: Steps): Term => {
  switch (name) {
    case '<':
      return bool(order(left, right) < 0);
    case '>':
      return bool(order(left, right) > 0);
    case '<=':
      return bool(order(left, right) <= 0);
    case '>=':
      return bool(order(left, right) >= 0);
    case '==':
      return bool(isEqual(left, right, steps));
    case '!=':
      return bool(!isEqual(left, right, steps));
    case '===':
    case '!==':
      if (left.kind !== right.kind) throw new Broken();
      return bool(isEqual(left, right, steps) === (name === '==='));
    case 'eager &&':
    case 'eager ||':
      if (left.kind !== 'bool' || right.kind !== 'bool') throw new Broken();
      return bool(name === 'eager &&' ? left.value && right.value : left.value || right.value);
    case '.contains()':
      return bool(contains(left, right, steps));
    case '.starts_with()':
    case '.ends_with()':
      return bool(isAtEdge(name, left, right, steps));
    case '.get()':
      return get(left, right);
    default:
      throw new Broken();
  }
};

/** Below, at or above 0. Only numbers and dates have an order. */
const order = (left: Term, right: Term): number => {
  const isOrdered = left.kind === right.kind && (left.kind === 'integer' || left.kind === 'date');
  if (!isOrdered || (right.kind !== 'integer' && right.kind !== 'date')) throw new Broken();
  if (left.value === right.value) return 0;
  return left.value < right.value ? -1 : 1;
};

/** False for values of different kinds. */
export const isEqual = (left: Term, right: Term, steps: Steps): boolean => {
  if ('value' in left || 'value' in right)
    return left.kind === right.kind && 'value' in left && 'value' in right && left.value === right.value;
  if (left.kind !== right.kind) return false;
  steps.take(sizeOf(left) + sizeOf(right));
  return sizeOf(left) === sizeOf(right) && keyOf(left) === keyOf(right);
};

const sizeOf = (term: Term): number => {
  if (term.kind === 'map') return term.entries.size;
  return term.kind === 'set' || term.kind === 'array' ? term.items.length : 0;
};

const contains = (left: Term, right: Term, steps: Steps): boolean => {
  if (left.kind === 'string' && right.kind === 'string') {
    // The engine's search may look at each character once for each of what it looks for.
    steps.take(Math.ceil((left.value.length * right.value.length) / CHARACTERS_PER_STEP));
    return left.value.includes(right.value);
  }
  if (left.kind === 'map') {
    steps.take(1);
    return right.kind === 'string' && left.entries.has(right.value);
  }
  if (left.kind !== 'set' && left.kind !== 'array') throw new Broken();
  steps.take(sizeOf(left) + sizeOf(right));
  if (left.kind === 'array') return left.items.some((item) => isEqual(item, right, steps));
  if (right.kind === 'set') {
    const keys = new Set(left.items.map(keyOf));
    return right.items.every((item) => keys.has(keyOf(item)));
  }
  if (!('value' in right)) throw new Broken();
  return left.items.some((item) => isEqual(item, right, steps));
};

const CHARACTERS_PER_STEP = 256;

const isAtEdge = (name: '.starts_with()' | '.ends_with()', left: Term, right: Term, steps: Steps): boolean => {
  const isStart = name === '.starts_with()';
  if (left.kind === 'string' && right.kind === 'string')
    return isStart ? left.value.startsWith(right.value) : left.value.endsWith(right.value);
  if (left.kind !== 'array' || right.kind !== 'array') throw new Broken();
  const { items } = right;
  steps.take(items.length);
  const offset = isStart ? 0 : left.items.length - items.length;
  return items.every((item, index) => {
    const other = left.items[offset + index];
    return other !== undefined && isEqual(item, other, steps);
  });
};

/** Null where nothing is. */
const get = (left: Term, right: Term): Term => {
  if (left.kind === 'array' && right.kind === 'integer') return left.items[Number(right.value)] ?? NULL;
  if (left.kind === 'map' && right.kind === 'string') return left.entries.get(right.value) ?? NULL;
  if (left.kind === 'map' && right.kind === 'integer') return NULL;
  throw new Broken();
};

const NULL: Term = { kind: 'null' };
