/**
 * Says in plain language, with a path such as `tasks[3].timeoutSec`, what is wrong with a job spec's shape.
 * Not for workflows: zod does not belong into their bundle.
 */
import { z } from 'zod';
import { nearestKey } from './nearest-key';

export type Path = readonly PropertyKey[];

/** A mistake at a place; `unknownKey` when it is only that the key exists. */
export interface SpecProblem {
  path: Path;
  text: string;
  unknownKey?: boolean;
}

/** How the parts of the check ask what is fit to be read, and say what is wrong. */
export interface Check {
  /** Neither the place nor anything in it has a wrong shape. */
  isSound(path: Path): boolean;
  /** The place itself has its shape; what is in it may not. */
  isReadable(path: Path): boolean;
  /** The place holds a key that nobody knows: what seems to be missing there may only be misspelt. */
  hasUnknownKey(path: Path): boolean;
  refuse(path: Path, text: string): void;
}

/** A check that goes on where shape problems left off, and adds to them. */
export function checkBeyond(problems: SpecProblem[]): Check {
  const misshapen = problems.filter((problem) => !problem.unknownKey).map((problem) => problem.path);
  const startsWith = (path: Path, start: Path) => start.every((step, i) => step === path[i]);
  return {
    isSound: (path) => !misshapen.some((wrong) => startsWith(path, wrong) || startsWith(wrong, path)),
    hasUnknownKey: (path) =>
      problems.some(
        ({ path: key, unknownKey }) => unknownKey && key.length === path.length + 1 && startsWith(key, path),
      ),
    isReadable: (path) => !misshapen.some((wrong) => startsWith(path, wrong)),
    refuse: (path, text) => void problems.push({ path, text }),
  };
}

/** Fields that are planned and that this version does not have. */
const NOT_YET = new Map([
  ['payload', 'computation manifests are not supported yet'],
  ['manifest', 'computation manifests are not supported yet'],
  ['demand.payload', 'computation manifests are not supported yet'],
  ['demand.manifest', 'computation manifests are not supported yet'],
  ['budget.deposit', 'not supported yet; the budget is an allocation of your own account'],
]);

export function shapeProblems(schema: z.ZodType, error: z.ZodError): SpecProblem[] {
  return error.issues.flatMap((issue) => problemsOf(schema, issue, []));
}

function problemsOf(schema: z.ZodType, issue: z.core.$ZodIssue, within: Path): SpecProblem[] {
  const path = [...within, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      text: unknownKeyText([...path, key], key, known),
      unknownKey: true,
    }));
  }
  if (issue.code === 'invalid_union') {
    // Short and full form differ in their JSON type, so the form that was meant is the one whose type fits.
    const meant = issue.errors.find(
      (branch) => !branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type'),
    );
    if (meant !== undefined) return meant.flatMap((inner) => problemsOf(schema, inner, path));
  }
  return [{ path, text: issue.message }];
}

function unknownKeyText(path: Path, key: string, known: readonly string[]): string {
  const later = NOT_YET.get(writePath(path));
  if (later !== undefined) return later;
  const nearest = nearestKey(key, known);
  return nearest === undefined
    ? `unknown key; known are ${known.join(', ')}`
    : `unknown key, did you mean "${nearest}"?`;
}

/** Names that an object at this place may have. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  const schemas = path.reduce<z.ZodType[]>((at, step) => at.flatMap((one) => stepInto(one, step)), [schema]);
  return schemas.flatMap(objectsIn).flatMap((object) => Object.keys(object.shape));
}

function stepInto(schema: z.ZodType, step: PropertyKey): z.ZodType[] {
  return alternatives(schema).flatMap((one) => {
    if (one instanceof z.ZodArray) return [one.element as z.ZodType];
    const next: unknown = one instanceof z.ZodObject ? one.shape[String(step)] : undefined;
    return next instanceof z.ZodType ? [next] : [];
  });
}

function objectsIn(schema: z.ZodType): z.ZodObject[] {
  return alternatives(schema).filter((one) => one instanceof z.ZodObject);
}

function alternatives(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return alternatives(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((one) => alternatives(one as z.ZodType));
  return [schema];
}

/** `tasks[3].timeoutSec`; `spec` for the whole. */
export function writePath(path: Path): string {
  let written = '';
  for (const step of path) {
    if (typeof step === 'number') written += `[${step}]`;
    else written += (written === '' ? '' : '.') + writeKey(String(step));
  }
  return written === '' ? 'spec' : written;
}

const LONGEST_KEY = 60;

/** A key that is no plain word is quoted, so that nothing in it can pass for something else. */
function writeKey(key: string): string {
  if (/^[\w$-]{1,60}$/.test(key)) return key;
  return JSON.stringify(key.length > LONGEST_KEY ? `${key.slice(0, LONGEST_KEY)}…` : key);
}
