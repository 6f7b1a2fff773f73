import { PROBLEM_IDS, PROBLEMS } from '../problems.ts';
import { type Field, fieldsOf } from './fields.ts';
import type { OpenApi, Operation } from './openapi.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
/** Text as our descriptions are written: paragraphs, and `code`. */
const prose = (text: string): string =>
  text
    .split('\n\n')
    .map((paragraph) => `<p>${inline(paragraph)}</p>`)
    .join('');
const inline = (text: string): string => escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>');

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
${body}
</body>
</html>
`;

type Entry = { readonly method: string; readonly path: string; readonly operation: Operation };

/** The reference as one page: every operation with what it takes, answers and refuses. */
export const referencePage = (document: OpenApi): string => {
  const entries: Entry[] = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
  );
  const sections = document.tags.map(({ name, description }) => ({
    name,
    description,
    entries: entries.filter(({ operation }) => operation.tags.includes(name)),
  }));
  const { title, version, description } = document.info;
  return page(
    `${title} API`,
    `<header><h1>${escaped(title)} API</h1><p class="version">Version ${escaped(version)}</p>${prose(description)}
<p>Machines read <a href="/openapi.json">OpenAPI 3.1</a>; all refusals are <a href="/docs/errors">on a page of their own</a>.</p></header>
<nav aria-label="Contents"><ul>${sections.map(contents).join('')}</ul></nav>
<main>${sections.map((section) => sectionOf(section, document)).join('')}</main>`,
  );
};

type Section = { readonly name: string; readonly description: string; readonly entries: readonly Entry[] };

const anchor = (name: string): string => name.toLowerCase().replaceAll(' ', '-');

const contents = ({ name, entries }: Section): string =>
  `<li><a href="#${anchor(name)}">${escaped(name)}</a><ul>${entries
    .map(({ operation }) => `<li><a href="#${escaped(operation.operationId)}">${escaped(operation.summary)}</a></li>`)
    .join('')}</ul></li>`;

const sectionOf = ({ name, description, entries }: Section, document: OpenApi): string =>
  `<section id="${anchor(name)}"><h2>${escaped(name)}</h2>${prose(description)}${entries
    .map((entry) => articleOf(entry, document))
    .join('')}</section>`;

const articleOf = ({ method, path, operation }: Entry, document: OpenApi): string => {
  const { operationId, summary, description, security, parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content['application/json']?.schema;
  return `<article id="${escaped(operationId)}"><h3>${escaped(summary)}</h3>
<p class="route"><strong>${method.toUpperCase()}</strong> <code>${escaped(path)}</code>${security.length > 0 ? '' : ' <em>needs no token</em>'}</p>
${description === undefined ? '' : prose(description)}
${table(
  'Parameters',
  parameters.flatMap(({ name, in: place, required = false, description: text, schema }) =>
    fieldsOf(schema, document, { name, required, description: text ?? `In the ${place}.` }),
  ),
)}
${body === undefined ? '' : table('Request body', fieldsOf(body, document))}
${Object.entries(responses)
  .map(([status, response]) => answerOf(status, response, document))
  .join('')}</article>`;
};

const answerOf = (status: string, response: Operation['responses'][string], document: OpenApi): string => {
  const answer = response.content?.['application/json']?.schema;
  if (response.content?.['application/problem+json'])
    return `<details><summary>Refused with ${escaped(status)}</summary>${prose(response.description)}</details>`;
  return `<details open><summary>Answers ${escaped(status)}</summary>${
    answer === undefined ? '<p>Without a body.</p>' : table('', fieldsOf(answer, document))
  }</details>`;
};

const table = (caption: string, fields: readonly Field[]): string => {
  if (fields.length === 0) return '';
  const rows = fields
    .map(
      ({ name, type, required, description }) =>
        `<tr><th scope="row"><code>${escaped(name)}</code></th><td>${escaped(type)}${required ? '' : ' <em>optional</em>'}</td><td>${inline(description)}</td></tr>`,
    )
    .join('');
  const head = caption === '' ? '' : `<caption>${escaped(caption)}</caption>`;
  return `<div class="scroll"><table>${head}<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>${rows}</tbody></table></div>`;
};

/** Every problem with its meaning; the `type` of a problem points into it. */
export const errorsPage = (): string =>
  page(
    'Posthorn problems',
    `<header><h1>Problems</h1><p>What the API can refuse, as problem details (RFC 9457). Match on <code>id</code>; texts may change. <a href="/docs">Back to the reference</a></p></header>
<main>${PROBLEM_IDS.map((id) => {
      const { status, title, advice } = PROBLEMS[id];
      return `<article id="${id.toLowerCase()}"><h3>${id}</h3><p class="route"><strong>${status}</strong> ${escaped(title)}</p>${prose(advice)}</article>`;
    }).join('')}</main>`,
  );
