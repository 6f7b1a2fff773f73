import type { Ajv2020 as Ajv, ErrorObject } from 'ajv/dist/2020.js';
import { _, Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonSchema } from '../domain/event-type/events.ts';
import { type Budget, BudgetSpent, createBudget } from './budget.ts';
import { dependentRequired } from './dependent-required.ts';
import { FORMATS } from './formats.ts';
import { createPatterns } from './patterns.ts';
import { areUnique } from './unique-items.ts';
import { COST, type Cost, UnusableSchema, vetSchema } from './vet.ts';

/** One place of a payload that does not match; nothing in it quotes the payload but the names of its members. */
export type Finding = {
  /** JSON Pointer into the payload. */
  readonly path: string;
  /** The keyword of the schema that is not met, or `cost`. */
  readonly keyword: string;
  readonly message: string;
};

/** Checks payloads, parsed, whose JSON text had this many bytes. No finding means that it matches. */
export type CompiledSchema = (payload: unknown, bytes: number) => readonly Finding[];

export const FINDINGS_MAX = 20;
const PATH_LENGTH_MAX = 200;
/** A payload may cost so much, and so much more for each of its bytes: in all some 50 ms for the largest. */
const STEPS = 200_000;
const STEPS_PER_BYTE = 4;
/** Of looking for everything that fails, once it is known that something does. */
const DETAIL_STEPS = 20_000;
/** Characters of a text that are looked at for the price of a step. */
const CHARACTERS_PER_STEP = 16;

let metaSchema: Ajv | undefined;

/** That keywords have values of the right kind. Throws UnusableSchema. */
const checkKinds = (schema: JsonSchema): void => {
  metaSchema ??= new Ajv2020({ strict: false, validateFormats: false, logger: false });
  if (metaSchema.validateSchema(schema)) return;
  const [first] = metaSchema.errors ?? [];
  throw new UnusableSchema(first?.instancePath ?? '', first?.message ?? 'is not a JSON Schema of draft 2020-12');
};

/** Code of its own for each schema, which shares nothing with that of others. Nothing is ever loaded. */
const createAjv = (budget: Budget, { allErrors }: { readonly allErrors: boolean }): Ajv => {
  const ajv = new Ajv2020({
    strict: false,
    allErrors,
    meta: false,
    validateSchema: false,
    addUsedSchema: false,
    // Each `$ref` copied in place would make the code grow with the number of references times what they point to.
    inlineRefs: false,
    // Or `required: ["toString"]` would be met by every object.
    ownProperties: true,
    logger: false,
    formats: { ...FORMATS },
    code: { regExp: createPatterns(budget) },
  });
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must NOT have duplicate items' },
    compile: (isWanted: boolean) => (items: readonly unknown[]) => !isWanted || areUnique(items, budget),
  });
  ajv.removeKeyword('dependentRequired');
  ajv.addKeyword(dependentRequired(budget));
  if (!allErrors) for (const keyword of ['anyOf', 'oneOf']) forgetBranches(ajv, keyword);
  ajv.addKeyword({
    keyword: COST,
    // Whatever calls other subschemas comes after it, so that none is called for nothing.
    before: '$ref',
    errors: false,
    compile: (cost: Cost) => (value: unknown) => {
      budget.spend(stepsOf(cost, value));
      return true;
    },
  });
  return ajv;
};

/**
 * Drops what a branch has found as soon as it does not match: with references among them, branches can fail a million times for one
 * payload, and when none matches all of that would have to be kept, and copied from reference to reference.
 */
const forgetBranches = (ajv: Ajv, keyword: string): void => {
  const built = ajv.getKeyword(keyword);
  if (typeof built !== 'object' || !('code' in built)) throw new Error(`Ajv does not know ${keyword}.`);
  ajv.removeKeyword(keyword);
  ajv.addKeyword({
    ...built,
    code: (context, ruleType) => {
      const branch = context.subschema.bind(context);
      context.subschema = (schema, isValid) => {
        const inner = branch(schema, isValid);
        context.gen.if(_`!${isValid}`, () => context.reset());
        return inner;
      };
      built.code(context, ruleType);
    },
  });
};

const stepsOf = ({ each, perElement, perMember }: Cost, value: unknown): number => {
  if (typeof value === 'string') return each + Math.floor(value.length / CHARACTERS_PER_STEP);
  if (typeof value !== 'object' || value === null) return each;
  if (Array.isArray(value)) return each + perElement * value.length;
  return perMember === 0 ? each : each + perMember * Object.keys(value).length;
};

/**
 * Makes a validator of a JSON Schema (2020-12). What one evaluation costs is bounded by the size of the payload, whatever
 * the schema says. Throws UnusableSchema.
 */
export const compileSchema = (schema: JsonSchema): CompiledSchema => {
  const vetted = vetSchema(schema);
  checkKinds(schema);
  const budget = createBudget();
  const compile = (allErrors: boolean) => {
    try {
      // References are resolved against an id, which none of its own is left to be.
      const named = typeof vetted === 'boolean' ? vetted : { $id: 'payload:schema', ...vetted };
      return createAjv(budget, { allErrors }).compile(named);
    } catch (cause) {
      if (cause instanceof UnusableSchema) throw cause;
      throw new UnusableSchema('', `cannot be compiled: ${(cause as Error).message.slice(0, 200)}`, { cause });
    }
  };
  type Validate = ReturnType<typeof compile>;
  const matches = compile(false);
  let matchesInDetail: Validate | undefined;

  /** What fails; the first of it, or everything. Throws BudgetSpent. */
  const errorsOf = (validate: Validate, payload: unknown, steps: number): readonly ErrorObject[] => {
    budget.begin(steps);
    try {
      return validate(payload) ? [] : (validate.errors ?? []);
    } catch (error) {
      // Calls within each other, which a chain of references makes, end the same way.
      throw error instanceof RangeError ? new BudgetSpent() : error;
    } finally {
      validate.errors = null;
    }
  };
  const inDetail = (payload: unknown, first: readonly ErrorObject[]): readonly ErrorObject[] => {
    matchesInDetail ??= compile(true);
    try {
      return errorsOf(matchesInDetail, payload, DETAIL_STEPS);
    } catch (error) {
      if (error instanceof BudgetSpent) return first;
      throw error;
    }
  };

  return (payload, bytes) => {
    try {
      const first = errorsOf(matches, payload, STEPS + STEPS_PER_BYTE * bytes);
      return first.length === 0 ? [] : findingsOf(inDetail(payload, first));
    } catch (error) {
      if (!(error instanceof BudgetSpent)) throw error;
      return [{ path: '', keyword: 'cost', message: 'takes too long to be checked against the schema' }];
    }
  };
};

const findingsOf = (errors: readonly ErrorObject[]): Finding[] => {
  const found = new Map<string, Finding>();
  for (const error of errors) {
    const { keyword, message = 'does not match' } = error;
    const path = pathOf(error).slice(0, PATH_LENGTH_MAX);
    found.set(`${path} ${message}`, { path, keyword, message: message.slice(0, PATH_LENGTH_MAX) });
    if (found.size === FINDINGS_MAX) break;
  }
  return [...found.values()];
};

/** Members that are missing, or are there and should not be, are named themselves and not what they are of. */
const pathOf = ({ instancePath, params }: ErrorObject): string => {
  const { missingProperty, additionalProperty, unevaluatedProperty, propertyName } = params as Record<string, unknown>;
  const member = missingProperty ?? additionalProperty ?? unevaluatedProperty ?? propertyName;
  if (typeof member !== 'string') return instancePath;
  return `${instancePath}/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`;
};
