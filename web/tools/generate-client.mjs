// Writes src/api/operations.ts from the OpenAPI document of the route table:
//   tribune openapi | node web/tools/generate-client.mjs > web/src/api/operations.ts
// `scripts/web.sh check` fails when the file is not what the program's document gives.
import { readFileSync } from 'node:fs';

const document = JSON.parse(readFileSync(0, 'utf8'));

/** The TypeScript type of a JSON schema of a parameter. */
function type(schema) {
  if (schema.type === 'array') return `readonly (${type(schema.items)})[]`;
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'boolean') return 'boolean';
  // A time is also taken as seconds.
  return schema.format === 'time' ? 'string | number' : 'string';
}

/** How a response is read: Prometheus's envelope, JSON as it is, or text. */
function kind(operation) {
  const content = operation.responses['200']?.content ?? {};
  const schema = content['application/json']?.schema;
  if (!schema) return 'text';
  return schema.$ref === '#/components/schemas/Success' ? 'data' : 'json';
}

const lines = [];
for (const [path, methods] of Object.entries(document.paths)) {
  if (!path.startsWith('/api/') || path.includes('/tile/')) continue;
  for (const [method, operation] of Object.entries(methods)) {
    // A reading that may also be posted is posted, so that its length has no limit but the body's.
    if (
      method === 'put' ||
      (method === 'get' &&
        methods.post &&
        operation['x-permission'] === 'read' &&
        methods.post['x-permission'] === 'read')
    )
      continue;
    const content = operation.requestBody?.content ?? {};
    const form = content['application/x-www-form-urlencoded']?.schema;
    const takesJSON = 'application/json' in content;
    const inPath = (operation.parameters ?? []).filter((one) => one.in === 'path');
    const inQuery = (operation.parameters ?? []).filter((one) => one.in === 'query');
    const fields = [
      ...[...inPath, ...inQuery].map((one) => [one.name, one.required, type(one.schema)]),
      ...Object.entries(form?.properties ?? {}).map(([name, schema]) => [
        name,
        (form.required ?? []).includes(name),
        type(schema),
      ]),
      ...(takesJSON ? [['body', true, 'unknown']] : []),
    ];
    const shape =
      fields.length === 0
        ? '{}'
        : `{ ${fields.map(([name, needed, text]) => `'${name}'${needed ? '' : '?'}: ${text}`).join('; ')} }`;
    lines.push(
      '',
      `/** ${operation.summary} */`,
      `export const ${operation.operationId}: Operation<'${operation.operationId}', ${shape}> = {`,
      `  method: '${method.toUpperCase()}', path: '${path.slice('/api/'.length)}', permission: '${operation['x-permission']}',` +
        ` kind: '${kind(operation)}',`,
      '};',
    );
  }
}
process.stdout.write(`// Generated from the OpenAPI document by web/tools/generate-client.mjs. Do not edit.
import { Operation } from './client';
${lines.join('\n')}
`);
